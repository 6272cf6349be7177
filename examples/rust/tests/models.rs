//! Models as values: what is saved comes back, copies are apart, settings and weights are as C says.
//
// SPDX-License-Identifier: BSD-2-Clause

mod common;

use cae::{Import, Keep, Kind, Model};
use common::*;
use std::fs;

#[test]
fn the_library_tells_its_version_presets_and_settings() {
    assert_eq!(cae::version().split('.').count(), 3);
    let presets = cae::presets();
    assert!(presets.len() >= 5 && presets.iter().any(|preset| preset.name == "cae-denoise"));
    for preset in presets {
        let model = Model::new(preset.name, 1).unwrap();
        assert_eq!(Model::new(preset.text, 1).unwrap().architecture(), model.architecture());
    }
    let model = Model::new(NET, 1).unwrap();
    for setting in cae::settings() {
        assert_eq!(model.get(setting.key), Ok(setting.initial), "{}", setting.key);
        assert!(setting.min <= setting.initial && setting.initial <= setting.max);
    }
}

#[test]
fn a_model_tells_what_it_is() {
    let model = Model::new(NET, 1).unwrap();
    assert_eq!(model.shape(), [2, 16, 16]);
    assert_eq!(model.code_shape([16, 16]), Ok([3, 8, 8]));
    assert_eq!(model.code_shape([5, 33]), Ok([3, 3, 17]));
    assert_eq!(model.parameters(), 3 * 2 * 9 + 3 + 3 * 2 * 4 + 2);
    assert_eq!((model.step(), trained(3).step()), (0, 3));
    assert!(!model.kernels().is_empty());
    assert_eq!(model.architecture(), NET);
    assert_eq!(format!("{model:?}"), "Model { shape: [2, 16, 16], parameters: 83, step: 0 }");
}

#[test]
fn a_file_and_bytes_are_the_same_and_keep_what_they_should() {
    let (model, path) = (trained(5), scratch("kept.safetensors"));
    for keep in [Keep::Weights, Keep::Training] {
        model.save(&path, keep).unwrap();
        let bytes = model.to_bytes(keep).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        for loaded in [Model::load(&path).unwrap(), Model::from_bytes(&bytes).unwrap()] {
            let steps = if keep == Keep::Training { 5 } else { 0 };
            assert_eq!(loaded.step(), steps);
            assert_eq!(loaded.to_bytes(keep).unwrap(), bytes);
        }
    }
}

#[test]
fn weights_of_16_bits_are_half_as_large() {
    let (model, path) = (trained(5), scratch("half.safetensors"));
    model.save(&path, Keep::Half).unwrap();
    let bytes = model.to_bytes(Keep::Half).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert!(bytes.len() < model.to_bytes(Keep::Weights).unwrap().len());
    let rounded = Model::load(&path).unwrap();
    for index in 0..model.tensor_count() {
        let (before, after) = (model.tensor(index).unwrap(), rounded.tensor(index).unwrap());
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() <= a.abs() / 2048.0, "{a} became {b}");
        }
        assert_ne!(before, after);
    }
    assert_eq!(rounded.to_bytes(Keep::Half).unwrap(), bytes);
    assert_eq!(model.copy(Keep::Half).unwrap_err().kind(), Kind::Argument);
}

#[test]
fn shipped_models_are_found_by_name() {
    let kind = |name: &str| Model::shipped(name).unwrap_err().kind();
    assert_eq!(kind("no-such-model"), Kind::Io);
    assert_eq!(kind("../denoise"), Kind::Argument);
    assert_eq!(kind("a\0b"), Kind::Argument);
    let path = scratch("shipped-test.safetensors");
    let mut model = trained(2);
    model.set_note("license", Some("CC-BY-SA-4.0")).unwrap();
    model.save(&path, Keep::Half).unwrap();
    // A process of its own, since the variable belongs to all threads of one.
    if std::env::var_os("CAE_MODEL_PATH").is_none() {
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shipped_models_are_found_by_name"])
            .env("CAE_MODEL_PATH", path.parent().unwrap())
            .status();
        assert!(again.unwrap().success());
        return;
    }
    let found = Model::shipped("shipped-test").unwrap();
    assert_eq!(found.note("license"), Some("CC-BY-SA-4.0"));
    assert_eq!(found.architecture(), model.architecture());
}

#[test]
fn notes_travel_with_a_model() {
    let mut model = trained(1);
    model.set_note("b", Some("zwei \u{e9}\n")).unwrap();
    model.set_note("a.note", Some("")).unwrap();
    model.set_note("c", Some("three")).unwrap();
    model.set_note("c", None).unwrap();
    let wanted = vec![("a.note", ""), ("b", "zwei \u{e9}\n")];
    let loaded = Model::from_bytes(&model.to_bytes(Keep::Weights).unwrap()).unwrap();
    for model in [&model, &loaded] {
        assert_eq!(model.notes().collect::<Vec<_>>(), wanted);
        assert_eq!((model.note("b"), model.note("c")), (Some("zwei \u{e9}\n"), None));
        assert_eq!((model.note("\0"), model.note("")), (None, None));
    }
    for (key, value, kind) in [
        ("libcae.x", "", Kind::Argument),
        ("", "", Kind::Argument),
        ("a", "\0", Kind::Argument),
        ("a\0", "", Kind::Argument),
        ("a", "x".repeat(4097).as_str(), Kind::Limit),
    ] {
        assert_eq!(model.set_note(key, Some(value)).unwrap_err().kind(), kind);
    }
    assert_eq!(model.notes().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_path_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let name = OsStr::from_bytes(b"caf\xe9 \xff.safetensors");
    let path = scratch("x").with_file_name(name);
    trained(1).save(&path, Keep::Weights).unwrap();
    assert_eq!(Model::load(&path).unwrap().architecture(), NET);
    let folder = fs::read_dir(path.parent().unwrap()).unwrap();
    assert!(folder.into_iter().any(|entry| entry.unwrap().file_name() == name));
    fs::remove_file(path).unwrap();
}

#[test]
fn a_copy_goes_its_own_way() {
    let model = trained(2);
    let before = model.to_bytes(Keep::Training).unwrap();
    let mut copy = model.copy(Keep::Training).unwrap();
    assert_eq!(copy.to_bytes(Keep::Training).unwrap(), before);
    let images = draw(1, 9, SIZE);
    copy.train_step(&images, &images, SIZE).unwrap();
    assert_eq!((copy.step(), model.step()), (3, 2));
    assert_eq!(model.to_bytes(Keep::Training).unwrap(), before);
    assert_eq!(model.copy(Keep::Weights).unwrap().step(), 0);
    drop(model);
    assert!(copy.evaluate(&images, &images, SIZE).is_ok());
}

#[test]
fn weights_go_in_and_out() {
    let (mut model, other) = (Model::new(NET, 1).unwrap(), Model::new(NET, 2).unwrap());
    let expected: [(&str, &[usize]); 4] = [
        ("0.bias", &[3]),
        ("0.weight", &[3, 2, 3, 3]),
        ("3.bias", &[2]),
        ("3.weight", &[3, 2, 2, 2]),
    ];
    assert_eq!(model.tensor_count(), expected.len());
    for (index, (name, shape)) in expected.into_iter().enumerate() {
        let info = model.tensor_info(index).unwrap();
        assert_eq!((info.name, &info.shape[..]), (name, shape));
        assert_eq!(info.values(), shape.iter().product::<usize>());
        let values = other.tensor(index).unwrap();
        assert_ne!(model.tensor(index).unwrap(), values);
        model.set_tensor(index, &values).unwrap();
        assert_eq!(model.tensor(index).unwrap(), values);
    }
    let images = draw(1, 0, SIZE);
    assert_eq!(model.denoise(&images, SIZE, 0.0), other.denoise(&images, SIZE, 0.0));
    assert_eq!(model.tensor(4).unwrap_err().kind(), Kind::Argument);
    assert_eq!(model.tensor(usize::MAX).unwrap_err().kind(), Kind::Argument);
}

/// The eight bytes of the length, the header, the data: safetensors at its plainest.
fn plain_weights(model: &Model, count: usize, prefix: &str) -> Vec<u8> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for index in 0..count {
        let info = model.tensor_info(index).unwrap();
        let begin = data.len();
        data.extend(model.tensor(index).unwrap().iter().flat_map(|value| value.to_le_bytes()));
        let (name, shape, span) = (info.name, info.shape, [begin, data.len()]);
        entries.push(format!(
            r#""{prefix}{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":{span:?}}}"#
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

#[test]
fn weights_come_from_a_plain_file() {
    let (from, path) = (Model::new(NET, 3).unwrap(), scratch("plain.safetensors"));
    let mut model = trained(2);
    fs::write(&path, plain_weights(&from, 4, "")).unwrap();
    model.load_weights(&path).unwrap();
    assert_eq!((model.step(), model.tensor(1)), (0, from.tensor(1)));
    fs::write(&path, plain_weights(&from, 3, "")).unwrap();
    let error = model.load_weights(&path).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Model, -6));
    assert!(error.message().contains("3.weight"), "{error}");
    fs::write(&path, plain_weights(&from, 4, "module._orig_mod.")).unwrap();
    let mut model = trained(2);
    let plain = model.import_weights(&path, Import::default()).unwrap_err();
    assert_eq!(plain.kind(), Kind::Model);
    model.import_weights(&path, Import { strip: true, skip: true }).unwrap();
    assert_eq!((model.step(), model.tensor(1)), (0, from.tensor(1)));
    let error = model.compress(&[0; 512], SIZE, 0).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    model.fit_code(&draw(2, 0, SIZE), SIZE).unwrap();
    assert!(model.compress(&[0; 512], SIZE, 0).is_ok());
}
