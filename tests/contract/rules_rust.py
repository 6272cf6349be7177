"""The Rust crate in examples/rust declares what cae/cae.h declares: the same functions with the same
parameters, the same numbers.

SPDX-License-Identifier: BSD-2-Clause
"""
import re

from rules import Rule, run
from rules_sources import declarations, read

RUST_TYPES = {'int': 'c_int', 'size_t': 'usize', 'uint8_t': 'u8', 'uint32_t': 'u32',
              'uint64_t': 'u64', 'float': 'f32', 'double': 'f64', 'char': 'c_char',
              'void': 'c_void', 'cae_model': 'cae_model'}


def rust_type(text):
    """`const char *` is `*const c_char`; an array is a pointer, as C has it."""
    constant, base, stars = re.fullmatch(r'(const )?(\w+) ?(\**)', text.strip()).groups()
    result = RUST_TYPES[base]
    for depth in range(len(stars)):
        result = f'*{"const" if constant and depth == 0 else "mut"} {result}'
    return result


def parameter(text):
    """'m: *const cae_model' from 'const cae_model *m'."""
    kind, name, array = re.fullmatch(r'(.*?)(\w+)(\[\d+\])?', text.strip()).groups()
    return f'{name}: {rust_type(kind + ("*" if array else ""))}'


def c_functions(header):
    """{name: signature in Rust} of the header."""
    found = {}
    for declaration in declarations(header):
        result, name, inside = re.fullmatch(r'(.*?)(\w+)\((.*)\);', declaration).groups()
        result = '' if result.strip() == 'void' else f' -> {rust_type(result)}'
        inside = '' if inside == 'void' else ', '.join(map(parameter, inside.split(',')))
        found[name] = f'({inside}){result}'
    return found


def rust_functions(text):
    found = {}
    for name, inside, result in re.findall(r'pub fn (\w+)\(([^)]*)\)\s*([^;]*);', text):
        inside = ', '.join(' '.join(part.split()) for part in inside.split(',') if part.strip())
        found[name] = f'({inside}) {result}'.strip()
    return found


def c_numbers(header):
    return {name: int(value.strip('()u')) for name, value in
            re.findall(r'^#define (CAE_[A-Z0-9_]+) +(\S+)', header, re.M) if name != 'CAE_API'}


def rust_numbers(text):
    return {name: int(value) for name, value in
            re.findall(r'^pub const (\w+): \w+ = (-?\d+);', text, re.M)}


def check_declarations(texts):
    found = []
    for wanted, given in ((c_functions(texts[0]), rust_functions(texts[1])),
                          (c_numbers(texts[0]), rust_numbers(texts[1]))):
        found += [f'{name} is in the header alone' for name in wanted.keys() - given.keys()]
        found += [f'{name} is in sys.rs alone' for name in given.keys() - wanted.keys()]
        found += [f'{name} is {given[name]} in sys.rs, not {wanted[name]}'
                  for name in sorted(wanted.keys() & given.keys()) if wanted[name] != given[name]]
    return sorted(found)


def check_wrapped(texts):
    """The crate's own functions call every one of the header's, so that no user has to write unsafe code."""
    return [f'no function of the crate calls {name}' for name in sorted(c_functions(texts[0]))
            if not re.search(rf'\b{name}\(|sys::{name}\b', texts[1])]


def read_crate(arguments):
    header, model, *parts = read(arguments, 'include/cae/cae.h', *(
        f'examples/rust/src/{name}.rs' for name in ('model', 'images', 'train', 'lib', 'error')))
    return [header, '\n'.join([model, *parts])]


C = ('#define CAE_E_IO (-3)\nCAE_API int cae_one(const cae_model *m, size_t shape[3],\n'
     '                    const char **name);\n')
RS = ('pub const CAE_E_IO: c_int = -3;\npub fn cae_one(\n    m: *const cae_model,\n'
      '    shape: *mut usize,\n    name: *mut *const c_char,\n) -> c_int;\n')
BAD_DECLARATIONS = [[C, ''], ['', RS]] + [[C, RS.replace(old, new)] for old, new in [
    ('-3', '-4'), ('*const cae', '*mut cae'), ('usize', 'u32'), ('*mut *const', '*const *mut'),
    ('-> c_int', '-> u32'), ('    shape: *mut usize,\n', ''), ('m:', 'n:'), ('cae_one', 'cae_two')]]
assert not check_declarations([C, RS])

RULES = {
    'rust': Rule(lambda a: read(a, 'include/cae/cae.h', 'examples/rust/src/sys.rs'),
                 check_declarations, BAD_DECLARATIONS),
    'wrapped': Rule(read_crate, check_wrapped, [[C, ''], [C, 'cae_one'], [C, 'xcae_one(m)']]),
}

if __name__ == '__main__':
    run(RULES)
