"""Rules that are read off the objects: what the library exports, what it calls, which way calls
between its files go, and that it keeps nothing between calls but what the design allows.

SPDX-License-Identifier: BSD-2-Clause
"""
import json
import pathlib
import re
import shlex
import subprocess
import tempfile

from rules import FOLDERS, Rule, Skip, map_functions, output, run


# ---- exported symbols ------------------------------------------------------------------------

def check_exports(data):
    """data: the map's names, and (name, nm's letter) of each dynamic symbol."""
    wanted, symbols = data
    exported = [name for name, _ in symbols]
    return ([f'{name} is in the map, not exported' for name in wanted if name not in exported] +
            [f'{name} is exported, not in the map' for name in exported if name not in wanted] +
            [f'{name} is no function (nm: {kind})' for name, kind in symbols if kind != 'T'])


def gather_exports(args):
    if not args.library:
        raise Skip('no shared library in this build')
    wanted = map_functions((pathlib.Path(args.source) / 'lib/cae.map').read_text(encoding='utf-8'))
    lines = output([args.nm, '-D', '--defined-only', '-f', 'posix', args.library]).splitlines()
    symbols = [(name.split('@')[0], kind) for name, kind in (line.split()[:2] for line in lines)
               if not name.startswith('LIBCAE_')]
    return wanted, symbols


# ---- objects by folder --------------------------------------------------------------------------

def folder_of(member):
    """'base' for base_memory.c.o."""
    first = member.split('_')[0]
    return first if first in FOLDERS else ''


def usual(args):
    if args.altered:
        raise Skip(f'{args.altered} changes the objects')


def read_symbols(nm, files):
    """{object: [(name, nm's letter)]} of an archive, or of two or more objects."""
    members, member = {}, ''
    for line in output([nm, '-f', 'posix', *files]).splitlines():
        header = re.fullmatch(r'.*[\[/]([^\[\]/]+\.o)\]?:', line)
        if header:
            member = header.group(1)
            members[member] = []
        elif line:
            members[member].append(tuple(line.split()[:2]))
    if not members:
        raise Skip('no objects')
    return members


def symbols_by_member(args):
    usual(args)
    return read_symbols(args.nm, [args.archive])


# ---- calls ------------------------------------------------------------------------------------

# What each folder may take from outside the library. Mathematics is absent but for what IEEE 754
# makes exact: anything else differs between C libraries. The last are what _FORTIFY_SOURCE, which
# distributions set, makes of memcpy and the like.
EVERYWHERE = """memcpy memmove memset memcmp memchr strlen strcmp strncmp strchr strrchr bcmp
    sqrt sqrtf fabs fabsf floor floorf ceil ceilf rint rintf nearbyint nearbyintf
    __stack_chk_fail _GLOBAL_OFFSET_TABLE_ __tls_get_addr __errno_location
    __mem(?:cpy|move|set)_chk"""
MEMORY = 'malloc calloc realloc free aligned_alloc posix_memalign madvise'
THREADS = r"""pthread_\w+ sched_getaffinity __sched_cpucount __sched_cpualloc __sched_cpufree
    sysconf sigfillset fegetenv fesetenv feholdexcept fesetround fegetround"""
FILES = r"""(?:open|openat|fstat|fstatat|stat|lstat|pread|pwrite)(?:64)? __fx?stat\w* close read write
    fsync fdatasync flock rename renameat unlink unlinkat readlinkat statx fchmod fchown getpid
    geteuid"""
ALLOWED = {
    'base': f'{MEMORY} {THREADS}',
    'kernels': 'getenv fma fmaf',
    'codec': 'deflate deflateInit_ deflateInit2_ deflateEnd deflateBound deflateReset inflate'
             ' inflateInit_ inflateInit2_ inflateEnd inflateReset compress2 compressBound uncompress'
             ' uncompress2',
    'serial': f'{FILES} crc32',
    'image': 'crc32',
    'model': 'secure_getenv',
}
# What kernels must not take from the library either: they allocate nothing and report nothing.
NOT_FOR_KERNELS = r'cae_(?:fail|format|alloc\w*|release|memory_\w+)'


def check_calls(members):
    inside = {name for symbols in members.values() for name, kind in symbols if kind not in 'Uw'}
    found = []
    for member, symbols in members.items():
        folder = folder_of(member)
        allowed = '|'.join((EVERYWHERE + ' ' + ALLOWED.get(folder, '')).split())
        for name, kind in symbols:
            if kind not in 'Uw':
                continue
            if name not in inside and not re.fullmatch(allowed, name):
                found.append(f'{member} calls {name}')
            if folder == 'kernels' and re.fullmatch(NOT_FOR_KERNELS, name):
                found.append(f'{member} calls {name}: kernels allocate and report nothing')
    return found


BAD_CALLS = [{'net_graph.c.o': [(name, 'U')]} for name in
             ('malloc', 'free', 'printf', '__printf_chk', 'exit', 'abort', 'rand', 'setlocale',
              'signal', 'expf', 'tanh', 'pow', 'open', 'fopen', 'deflate', 'pthread_create',
              'getenv')]
BAD_CALLS += [{'base_memory.c.o': [('open', 'U')]}, {'api_models.c.o': [('malloc', 'U')]},
              {'kernels_tier_c.c.o': [('cae_fail', 'U')], 'base_status.c.o': [('cae_fail', 'T')]}]


# ---- which way calls go ---------------------------------------------------------------------------

# A use is an undefined symbol of one object that another object defines: a call, an address that is
# taken, a row of a table. The rule does not see a call through a pointer, only where the address
# was taken. No use may name an object of a folder to the right, and the uses between the objects of
# one folder may form no circle.

def uses_between(members):
    """{(user, used): [name]}"""
    defined = {name: member for member, symbols in members.items()
               for name, kind in symbols if kind.isupper() and kind != 'U'}
    uses = {}
    for member, symbols in members.items():
        for name, kind in symbols:
            if kind in 'Uw' and name in defined:
                uses.setdefault((member, defined[name]), []).append(name)
    return uses


def path_between(start, end, uses):
    """The shortest way along uses, or nothing."""
    ways = [[start]]
    reached = {start}
    for way in ways:
        if way[-1] == end:
            return way
        for user, used in sorted(uses):
            if user == way[-1] and used not in reached:
                reached.add(used)
                ways.append(way + [used])
    return []


def check_order(members):
    uses = uses_between(members)
    inside = {pair for pair in uses if folder_of(pair[0]) == folder_of(pair[1])}
    place = {member: FOLDERS.index(folder_of(member)) for pair in uses for member in pair}
    found = [f'{user} uses {", ".join(names)} of {used}, which stands to its right'
             for (user, used), names in sorted(uses.items()) if place[used] > place[user]]
    reported = set()
    for user, used in sorted(inside):
        circle = path_between(used, user, inside)
        if circle and frozenset(circle) not in reported:
            reported.add(frozenset(circle))
            steps = [f'{a} uses {uses[a, b][0]} of {b}' for a, b in zip([user] + circle, circle)]
            found.append('a circle: ' + ', '.join(steps))
    return found


def function(name, *calls):
    """C that defines a function, which calls others."""
    declared = ''.join(f'int {call}(void);' for call in (name,) + calls)
    return f'{declared} int {name}(void) {{ return 1{"".join(f" + {call}()" for call in calls)}; }}'


# What is planted, and what the rule has to report.
PLANTED = [
    ({'base_a.c': function('cae_a', 'cae_b'), 'net_b.c': function('cae_b')},
     'base_a.c.o uses cae_b of net_b.c.o, which stands to its right'),
    ({'image_a.c': function('cae_a', 'cae_b'), 'model_b.c': function('cae_b')},
     'image_a.c.o uses cae_b of model_b.c.o, which stands to its right'),
    ({'optim_a.c': 'int cae_b(void); int (*const cae_row[])(void) = {cae_b};',
      'layers_b.c': function('cae_b')},
     'optim_a.c.o uses cae_b of layers_b.c.o, which stands to its right'),
    ({'net_a.c': function('cae_a', 'cae_b'), 'net_b.c': function('cae_b', 'cae_a')},
     'a circle: net_a.c.o uses cae_b of net_b.c.o, net_b.c.o uses cae_a of net_a.c.o'),
    ({'api_a.c': function('cae_a', 'cae_b'), 'api_b.c': function('cae_b', 'cae_c'),
      'api_c.c': function('cae_c', 'cae_a')},
     'a circle: api_a.c.o uses cae_b of api_b.c.o, api_b.c.o uses cae_c of api_c.c.o, '
     'api_c.c.o uses cae_a of api_a.c.o'),
    ({'codec_a.c': 'extern const int cae_b; const int *const cae_row = &cae_b; int cae_a(void);'
                   'int cae_a(void) { return 1; }',
      'codec_b.c': function('cae_c', 'cae_a') + 'extern const int cae_b; const int cae_b = 1;'},
     'a circle: codec_a.c.o uses cae_b of codec_b.c.o, codec_b.c.o uses cae_a of codec_a.c.o'),
]


def bad_order(args):
    usual(args)
    for sources, sentence in PLANTED:
        with tempfile.TemporaryDirectory() as scratch:
            for name, text in sources.items():
                path = pathlib.Path(scratch) / name
                path.write_text(text + '\n', encoding='utf-8')
                subprocess.run(args.compiler + ['-O2', '-c', str(path), '-o', f'{path}.o'], check=True)
            members = read_symbols(args.nm, [f'{scratch}/{name}.o' for name in sources])
        found = check_order(members)
        if found != [sentence]:
            raise AssertionError(f'{found} is reported, not: {sentence}')
        yield members


# ---- names --------------------------------------------------------------------------------------

def check_names(members):
    """A static libcae.a shares one space of names with the program it is linked into."""
    return [f'{member}: {name} has no prefix cae_' for member, symbols in members.items()
            for name, kind in symbols if kind in 'TDBRCGSVW' and not name.startswith('cae_')]


# ---- mutable globals -------------------------------------------------------------------------------

# The thread's message, and what CAE_CPU says, read once.
GLOBALS = {'base_status.c.o': {'message'}, 'kernels_dispatch.c.o': {'cached'}}
WRITABLE = r'\.t?(?:data|bss)(?!\.rel\.ro)[.\w]*|\*COM\*'
RUN_AT_LOAD = r'\.(?:init|fini|preinit)_array[.\w]*|\.[cd]tors[.\w]*'


def check_globals(members):
    """members: {object: [(section, symbol)]}"""
    found = []
    for member, symbols in members.items():
        for section, name in symbols:
            # A function's static variable is cached.0 to gcc and ceiling.cached to clang.
            known = GLOBALS.get(member, set()) & set(name.split('.'))
            if re.fullmatch(WRITABLE, section) and not known:
                found.append(f'{member}: {name} in {section} outlives a call')
            if re.fullmatch(RUN_AT_LOAD, section):
                found.append(f'{member}: {section} runs code outside of calls')
    return found


def gather_globals(args):
    usual(args)
    members, member = {}, ''
    for line in output([args.objdump, '-t', args.archive]).splitlines():
        header = re.match(r'(?:.*/)?([^/\s]+\.o):', line)
        # address, seven columns of flags, section, tab, size, name; d marks the section itself
        symbol = re.match(r'[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(.+)', line)
        if header:
            member = header.group(1)
            members[member] = []
        elif symbol and ('d' not in symbol.group(1) or re.fullmatch(RUN_AT_LOAD, symbol.group(2))):
            members[member].append((symbol.group(2), symbol.group(3)))
    if not members:
        raise Skip('no objects')
    return members


BAD_GLOBALS = [{'net_graph.c.o': [(section, 'counter')]} for section in
               ('.data', '.bss', '.tbss', '.tdata', '.data.rel', '.bss.counter', '*COM*',
                '.data.rel.local', '.init_array', '.ctors')]


# ---- instructions ------------------------------------------------------------------------------

def tier_of(member):
    match = re.match(r'kernels_tier_(\w+?)\.c\.o', member)
    return match.group(1) if match else ''


def check_instructions(data):
    """data: {tier: words of its command line}, {object: words of its code}. Outside of the tiers the
    baseline must do."""
    commands, members = data
    found = []
    for member, words in members.items():
        flags = commands.get(tier_of(member), [])
        wide = sorted(word for word in words if re.fullmatch(r'%[yz]mm\d+|v\w+[ps][sd]', word))
        fused = sorted(word for word in words if re.match(r'vfn?m(?:add|sub)', word))
        if wide and not any(flag.startswith('-mavx') for flag in flags):
            found.append(f'{member} uses {wide[0]}')
        if fused and '-mfma' not in flags:
            found.append(f'{member} uses {fused[0]}')
        if any(re.match(r'v?r(?:cp|sqrt)[ps]s', word) for word in words):
            found.append(f'{member} uses an approximate reciprocal')
        if '-mfma' in flags and not fused:
            found.append(f'{member} fuses nothing')
    return found


def read_code(objdump, file):
    """{object: words of its code} of an archive or an object."""
    members, member = {}, ''
    if 'x86-64' not in output([objdump, '-f', file]):
        raise Skip('the processor is no x86-64')
    disassembly = output([objdump, '-d', '--no-show-raw-insn', '--no-addresses', file])
    for line in disassembly.splitlines():
        header = re.match(r'(?:.*/)?([^/\s]+\.o):', line)
        if header:
            member = header.group(1)
            members[member] = set()
        elif line.startswith('\t') and member:
            members[member].update(re.findall(r'%?[a-z]\w+', line.split('<')[0]))
    return members


def gather_instructions(args):
    usual(args)
    text = (pathlib.Path(args.build) / 'compile_commands.json').read_text(encoding='utf-8')
    if '-march=' in text:
        raise Skip('CFLAGS raise the baseline')
    commands = {}
    for entry in json.loads(text):
        tier = re.search(r'kernels/tier_(\w+)\.c$', entry['file'])
        if tier:
            commands[tier.group(1)] = shlex.split(entry['command'])
    return commands, read_code(args.objdump, args.archive)


BAD_INSTRUCTIONS = [({'sse2': ['-msse2'], 'avx2': ['-mavx2', '-mno-fma'], 'fma': ['-mavx2', '-mfma']},
                     members) for members in (
    {'base_random.c.o': {'vaddps'}},
    {'kernels_tier_c.c.o': {'vpxor', '%ymm3'}},
    {'kernels_tier_sse2.c.o': {'vfmadd231ps'}},
    {'kernels_tier_avx2.c.o': {'%ymm1', 'vfmadd213ps'}},
    {'kernels_tier_fma.c.o': {'vaddps'}},
    {'optim_adam.c.o': {'rsqrtps'}},
)]


# ---- assertions ----------------------------------------------------------------------------------

def check_assertions(data):
    """data: whether the build has assertions, and {object: words of its code}. A failed one traps."""
    wanted, members = data
    trapping = [member for member, words in members.items() if 'ud2' in words]
    if wanted and not trapping:
        return ['no object has an assertion']
    return [] if wanted else [f'{member} has an assertion, in a release' for member in trapping]


def gather_assertions(args):
    usual(args)
    return args.assertions, read_code(args.objdump, args.archive)


ASSERTION = """#include "base/assert.h"
int cae_root(int x);
int cae_root(int x)
{
    CAE_ASSERT(x >= 0);
    return x;
}
"""


def bad_assertions(args):
    usual(args)
    for wanted, switch in ((False, ['-DCAE_ASSERTIONS']), (True, [])):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / 'base_root.c'
            path.write_text(ASSERTION, encoding='utf-8')
            command = args.compiler + ['-O2', '-Wall', '-Wextra', '-Werror', '-I', f'{args.source}/lib']
            subprocess.run(command + switch + ['-c', str(path), '-o', f'{path}.o'], check=True)
            members = read_code(args.objdump, f'{path}.o')
        if check_assertions((not wanted, members)):
            raise AssertionError('the assertion is not where it should be')
        yield wanted, members


RULES = {
    'exports': Rule(gather_exports, check_exports,
                    [(['cae_one'], []), ([], [('cae_one', 'T')]),
                     (['cae_one'], [('cae_one', 'D')])]),
    'calls': Rule(symbols_by_member, check_calls, BAD_CALLS),
    'call-order': Rule(symbols_by_member, check_order, bad_order),
    'names': Rule(symbols_by_member, check_names,
                  [{'base_team.c.o': [('run', 'T')]}, {'base_team.c.o': [('table', 'R')]}]),
    'globals': Rule(gather_globals, check_globals, BAD_GLOBALS),
    'instructions': Rule(gather_instructions, check_instructions, BAD_INSTRUCTIONS),
    'assertions': Rule(gather_assertions, check_assertions, bad_assertions),
}

if __name__ == '__main__':
    run(RULES)
