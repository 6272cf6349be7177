"""Rules that are read off the objects: what the library exports, what it calls, and that it keeps
nothing between calls but what the design allows.

SPDX-License-Identifier: BSD-2-Clause
"""
import pathlib
import re

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


def symbols_by_member(args):
    """{object: [(name, nm's letter)]} of the archive."""
    usual(args)
    members, member = {}, ''
    for line in output([args.nm, '-f', 'posix', args.archive]).splitlines():
        header = re.fullmatch(r'.*[\[/]([^\[\]/]+\.o)\]?:', line)
        if header:
            member = header.group(1)
            members[member] = []
        elif line:
            members[member].append(tuple(line.split()[:2]))
    if not members:
        raise Skip('no objects')
    return members


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


def check_instructions(members):
    """members: {object: words of its code}. Outside of the tiers the baseline must do."""
    found = []
    for member, words in members.items():
        tier = tier_of(member)
        wide = sorted(word for word in words if re.fullmatch(r'%[yz]mm\d+|v\w+[ps][sd]', word))
        fused = sorted(word for word in words if re.match(r'vfn?m(?:add|sub)', word))
        if wide and tier not in ('avx2', 'fma'):
            found.append(f'{member} uses {wide[0]}')
        if fused and tier != 'fma':
            found.append(f'{member} uses {fused[0]}')
        if any(re.match(r'v?r(?:cp|sqrt)[ps]s', word) for word in words):
            found.append(f'{member} uses an approximate reciprocal')
        if tier == 'fma' and not fused:
            found.append(f'{member} fuses nothing')
    return found


def gather_instructions(args):
    usual(args)
    members, member = {}, ''
    if 'x86-64' not in output([args.objdump, '-f', args.archive]):
        raise Skip('the processor is no x86-64')
    commands = (pathlib.Path(args.build) / 'compile_commands.json').read_text(encoding='utf-8')
    if '-march=' in commands:
        raise Skip('CFLAGS raise the baseline')
    disassembly = output([args.objdump, '-d', '--no-show-raw-insn', '--no-addresses', args.archive])
    for line in disassembly.splitlines():
        header = re.match(r'(?:.*/)?([^/\s]+\.o):', line)
        if header:
            member = header.group(1)
            members[member] = set()
        elif line.startswith('\t') and member:
            members[member].update(re.findall(r'%?[a-z]\w+', line.split('<')[0]))
    return members


BAD_INSTRUCTIONS = [
    {'base_random.c.o': {'vaddps'}},
    {'kernels_tier_c.c.o': {'vpxor', '%ymm3'}},
    {'kernels_tier_sse2.c.o': {'vfmadd231ps'}},
    {'kernels_tier_avx2.c.o': {'%ymm1', 'vfmadd213ps'}},
    {'kernels_tier_fma.c.o': {'vaddps'}},
    {'optim_adam.c.o': {'rsqrtps'}},
]


RULES = {
    'exports': Rule(gather_exports, check_exports,
                    [(['cae_one'], []), ([], [('cae_one', 'T')]),
                     (['cae_one'], [('cae_one', 'D')])]),
    'calls': Rule(symbols_by_member, check_calls, BAD_CALLS),
    'names': Rule(symbols_by_member, check_names,
                  [{'base_team.c.o': [('run', 'T')]}, {'base_team.c.o': [('table', 'R')]}]),
    'globals': Rule(gather_globals, check_globals, BAD_GLOBALS),
    'instructions': Rule(gather_instructions, check_instructions, BAD_INSTRUCTIONS),
}

if __name__ == '__main__':
    run(RULES)
