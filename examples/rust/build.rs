//! Finds libcae for the linker, by asking pkg-config. These variables have a say:
//!
//! - `PKG_CONFIG`, the program to ask, and what it reads itself: `PKG_CONFIG_PATH` for a
//!   libcae.pc in a folder of its own, `PKG_CONFIG_SYSROOT_DIR`, `PKG_CONFIG_LIBDIR`.
//! - `LIBCAE_LIB_DIR`, the whole path of the folder of a libcae.so or libcae.a that is not
//!   installed, such as `$PWD/build/lib`; pkg-config is not asked then.
//! - `LIBCAE_STATIC=1` puts libcae itself into the program (its zlib stays shared).
//!
//! What cannot be found ends the build with a sentence that says what to install.
//
// SPDX-License-Identifier: BSD-2-Clause

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{self, Command};

#[path = "src/oldest.rs"]
mod oldest;

const VARIABLES: [&str; 8] = [
    "LIBCAE_LIB_DIR",
    "LIBCAE_STATIC",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_SYSROOT_DIR",
    "PKG_CONFIG_ALLOW_SYSTEM_LIBS",
    "PATH",
];

const OTHERWISE: &str =
    "Or name the folder of libcae.so in the environment variable LIBCAE_LIB_DIR.";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/oldest.rs");
    for variable in VARIABLES {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let found = match env::var("LIBCAE_LIB_DIR") {
        Ok(folder) => in_folder(&folder),
        Err(env::VarError::NotPresent) => ask(),
        Err(error) => Err(format!("LIBCAE_LIB_DIR: {error}")),
    };
    match found {
        Ok(lines) => lines.iter().for_each(|line| println!("cargo:{line}")),
        Err(message) => {
            eprintln!("error: {message}");
            process::exit(1);
        }
    }
}

fn is_static() -> bool {
    env::var_os("LIBCAE_STATIC").map_or(false, |value| !value.is_empty() && value != "0")
}

/// What libcae.a needs beside itself is known for a library that has no libcae.pc yet.
fn in_folder(folder: &str) -> Result<Vec<String>, String> {
    let file = if is_static() { "libcae.a" } else { "libcae.so" };
    if !Path::new(folder).is_absolute() {
        return Err(format!(
            "LIBCAE_LIB_DIR is {folder}; give the whole path, from / on: cargo builds in other folders"
        ));
    }
    if !Path::new(folder).join(file).exists() {
        return Err(format!("LIBCAE_LIB_DIR is {folder}, where there is no {file}"));
    }
    let mut lines = vec![format!("rustc-link-search=native={folder}"), link("cae")];
    if is_static() {
        lines.extend(["z", "m", "pthread"].map(link));
    }
    Ok(lines)
}

/// The cargo line that links a library.
fn link(name: &str) -> String {
    let kind = if name == "cae" && is_static() { "static=" } else { "" };
    format!("rustc-link-lib={kind}{name}")
}

/// The lines for cargo that pkg-config's answer amounts to.
fn ask() -> Result<Vec<String>, String> {
    let [major, minor, patch] = oldest::OLDEST;
    let needed = format!("{major}.{minor}.{patch}");
    let version = pkg_config(&["--modversion", "libcae"])?.map_err(|words| {
        format!(
            "pkg-config finds no libcae to use. Install its development files (Debian: apt-get install \
             libcae-dev), or add the folder of libcae.pc to PKG_CONFIG_PATH. {OTHERWISE}\n{words}"
        )
    })?;
    let is_new = ["--atleast-version", needed.as_str(), "libcae"];
    pkg_config(&is_new)?.map_err(|_| {
        format!(
            "libcae {} is too old: this crate needs {needed} or newer. Install that (Debian: \
             apt-get install libcae-dev), or add the folder of its libcae.pc to PKG_CONFIG_PATH.",
            version.trim()
        )
    })?;
    let mut question = vec!["--cflags", "--libs", "libcae"];
    if is_static() {
        question.insert(0, "--static");
    }
    let flags = pkg_config(&question)?
        .map_err(|words| format!("pkg-config cannot tell how to link libcae:\n{words}"))?;
    Ok(split(&flags).iter().filter_map(|flag| line(flag)).collect())
}

/// One call: what it prints, or what it complains of; the outer error is that it cannot be run.
fn pkg_config(arguments: &[&str]) -> Result<Result<String, String>, String> {
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| OsString::from("pkg-config"));
    let mut command = Command::new(&program);
    if is_static() {
        // rustc looks for archives only where it is told to, not where the linker would.
        command.env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1");
    }
    let output = command.args(arguments).output().map_err(|error| {
        let name = program.to_string_lossy();
        match error.kind() {
            ErrorKind::NotFound => format!(
                "{name} is missing; it tells where libcae is. Install it (Debian: apt-get install \
                 pkg-config). {OTHERWISE}"
            ),
            _ => format!("{name} cannot be run: {error}"),
        }
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let answer = if output.status.success() { Ok(&output.stdout) } else { Err(&output.stderr) };
    Ok(answer.map(|bytes| text(bytes)).map_err(|bytes| text(bytes)))
}

/// Words as pkg-config writes them: apart by white space, unless a backslash stands before it.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            _ if character.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The line for one flag; crates that compile C themselves find the header as DEP_CAE_INCLUDE.
fn line(flag: &str) -> Option<String> {
    match flag.get(..2)? {
        "-I" => Some(format!("include={}", &flag[2..])),
        "-L" => Some(format!("rustc-link-search=native={}", &flag[2..])),
        "-l" => Some(link(&flag[2..])),
        _ if flag == "-pthread" => Some(link("pthread")),
        _ => None,
    }
}
