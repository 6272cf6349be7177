//! Cleans a picture: a binary PGM or PPM of 8 bits from standard input to standard output.
//!
//!     cargo run --example clean MODEL SIGMA <noisy.ppm >clean.ppm
//!
//! SIGMA is the noise's standard deviation on the scale of 0 to 255, 0 if it is not known.
//
// SPDX-License-Identifier: BSD-2-Clause

use cae::{Denoising, Model};
use std::error::Error;
use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        return Err("usage: clean MODEL SIGMA <IN.ppm >OUT.ppm".into());
    }
    let mut file = Vec::new();
    io::stdin().read_to_end(&mut file)?;
    // The header is four words, and one white space parts it from the pixels.
    let (mut words, mut at) = (Vec::new(), 0);
    while words.len() < 4 {
        let len = file[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        if len == 0 && at == file.len() {
            return Err("not a binary PGM or PPM".into());
        }
        if len > 0 {
            words.push(std::str::from_utf8(&file[at..at + len])?.to_owned());
        }
        at = (at + len + 1).min(file.len());
    }
    let channels = match (&words[0][..], &words[3][..]) {
        ("P5", "255") => 1,
        ("P6", "255") => 3,
        _ => return Err("not a binary PGM or PPM of 8 bits".into()),
    };
    let size = [words[2].parse()?, words[1].parse()?];
    let mut model = Model::load(&arguments[1])?;
    model.set("threads", 0.0)?;
    let what = Denoising::level(arguments[2].parse::<f32>()? / 255.0);
    model.denoise_pixels(&mut file[at..], size, channels, what)?;
    Ok(io::stdout().write_all(&file)?)
}
