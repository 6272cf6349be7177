//! Finds libcae for the linker, by asking pkg-config. These variables have a say:
//!
//! - `PKG_CONFIG`, the program to ask, and what it reads itself: `PKG_CONFIG_PATH` for a
//!   libcae.pc in a folder of its own, `PKG_CONFIG_SYSROOT_DIR`, `PKG_CONFIG_LIBDIR`.
//! - `LIBCAE_LIB_DIR`, the whole path of the folder of a libcae.so or libcae.a that is not
//!   installed, such as `$PWD/build/lib`; pkg-config is not asked then.
//! - `LIBCAE_STATIC=1` puts libcae itself into the program (its zlib stays shared).
//!
//! Each may be meant for one target alone, as `cc` and `pkg-config` have it: `X_aarch64-unknown-linux-gnu`
//! or `X_aarch64_unknown_linux_gnu` goes before `TARGET_X` (`HOST_X` where nothing is crossed), and
//! that before `X`. A build for another target than the machine's own asks pkg-config only if
//! `PKG_CONFIG` or `PKG_CONFIG_SYSROOT_DIR` is set, or `PKG_CONFIG_ALLOW_CROSS=1`: else it would be
//! given the machine's own libcae.
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

const VARIABLES: [&str; 9] = [
    "LIBCAE_LIB_DIR",
    "LIBCAE_STATIC",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_SYSROOT_DIR",
    "PKG_CONFIG_ALLOW_CROSS",
    "PKG_CONFIG_ALLOW_SYSTEM_LIBS",
    "PATH",
];

/// What pkg-config reads itself, by its plain name alone.
const PASSED_ON: [&str; 3] = ["PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR"];

const OTHERWISE: &str =
    "Or name the folder of libcae.so in the environment variable LIBCAE_LIB_DIR.";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/oldest.rs");
    for name in VARIABLES.iter().flat_map(|variable| names_of(variable)) {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let found = match variable("LIBCAE_LIB_DIR").map(OsString::into_string) {
        Some(Ok(folder)) => in_folder(&folder),
        Some(Err(folder)) => Err(format!("LIBCAE_LIB_DIR is no UTF-8: {folder:?}")),
        None if may_ask() => ask(),
        None => Err(crossed()),
    };
    match found {
        Ok(lines) => lines.iter().for_each(|line| println!("cargo:{line}")),
        Err(message) => {
            eprintln!("error: {message}");
            process::exit(1);
        }
    }
}

/// What cargo says of the build: "HOST" or "TARGET".
fn triple(which: &str) -> String {
    env::var(which).unwrap_or_default()
}

fn is_cross() -> bool {
    triple("HOST") != triple("TARGET")
}

/// The names that a variable goes by for this target, the first of them that is set being meant.
fn names_of(variable: &str) -> Vec<String> {
    let target = triple("TARGET");
    let kind = if is_cross() { "TARGET" } else { "HOST" };
    vec![
        format!("{variable}_{target}"),
        format!("{variable}_{}", target.replace(['-', '.'], "_")),
        format!("{kind}_{variable}"),
        variable.to_owned(),
    ]
}

fn variable(name: &str) -> Option<OsString> {
    names_of(name).iter().find_map(env::var_os)
}

fn is_on(name: &str) -> Option<bool> {
    variable(name).map(|value| !value.is_empty() && value != "0")
}

fn is_static() -> bool {
    is_on("LIBCAE_STATIC").unwrap_or(false)
}

/// Whether pkg-config knows of libraries for the target: of itself it knows the machine's own.
fn may_ask() -> bool {
    let prepared =
        || ["PKG_CONFIG", "PKG_CONFIG_SYSROOT_DIR"].iter().any(|name| variable(name).is_some());
    !is_cross() || is_on("PKG_CONFIG_ALLOW_CROSS").unwrap_or_else(prepared)
}

fn crossed() -> String {
    let (host, target) = (triple("HOST"), triple("TARGET"));
    format!(
        "this build is for {target}, and pkg-config would name the libcae of this machine ({host}). Name a \
         pkg-config for {target} in PKG_CONFIG (Debian has one in the package pkgconf of that architecture), or \
         its root folder in PKG_CONFIG_SYSROOT_DIR with the folder of its libcae.pc in PKG_CONFIG_LIBDIR, or the \
         folder of its libcae.so in LIBCAE_LIB_DIR; each may end in _{} to be of this target alone. \
         PKG_CONFIG_ALLOW_CROSS=1 takes what pkg-config says.",
        target.replace('-', "_")
    )
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

/// One call: what it prints, or its error message; the outer error is that it cannot be run.
fn pkg_config(arguments: &[&str]) -> Result<Result<String, String>, String> {
    let program = variable("PKG_CONFIG").unwrap_or_else(|| OsString::from("pkg-config"));
    let mut command = Command::new(&program);
    for name in PASSED_ON {
        if let Some(value) = variable(name) {
            command.env(name, value);
        }
    }
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
