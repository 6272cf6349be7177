"""The arithmetic that a network asks for, counted from its layers' shapes: multiply-adds that have to
be done once each. Taps on zero padding and on output that is cropped away count; zeros that a stride
would insert into a transposed convolution's input do not.

SPDX-License-Identifier: BSD-2-Clause
"""
PASSES = ('forward', 'data', 'weights')


def product(values):
    result = 1
    for value in values:
        result *= value
    return result


def multiply_adds(layer):
    """Of one pass over one image; all three passes of a layer have as many."""
    kind, into, out = layer['type'], layer['in'], layer['out']
    if kind == 'dense':
        return product(into) * product(out)
    if kind not in ('conv', 'tconv'):
        return 0
    pixels = out[1] * out[2] if kind == 'conv' else into[1] * into[2]
    return pixels * layer['kernel'] ** 2 * into[0] * out[0]


def has_pass(layers, index, name):
    """No gradient of the network's own input is wanted."""
    return multiply_adds(layers[index]) > 0 and (name != 'data' or index > 0)


def layer_work(layers, index):
    """All passes of a layer."""
    return sum(multiply_adds(layers[index]) for name in PASSES if has_pass(layers, index, name))


def network_work(layers, call):
    """Floating-point operations for one image: 'train', or 'infer'."""
    count = layer_work if call == 'train' else lambda all_of, i: multiply_adds(all_of[i])
    return 2 * sum(count(layers, i) for i in range(len(layers)))


def terms(layer, name):
    """How many products an element of a pass's result is the sum of."""
    into, out = layer['in'], layer['out']
    elements = {'forward': product(out), 'data': product(into),
                'weights': layer['kernel'] ** 2 * into[0] * out[0]}[name]
    return multiply_adds(layer) / elements


def moved(layer):
    """Bytes that any of the passes must at least move: it reads two of input, output and weights, and
    writes the third."""
    weights = layer['kernel'] ** 2 * layer['in'][0] * layer['out'][0]
    return 4 * (product(layer['in']) + product(layer['out']) + weights)


def alone(kind, channels, out_channels, side, kernel, stride=1, pad=0):
    """The text of a network in which one layer stands behind a cheap one, so that it has all three
    passes, and before one that undoes its change of size. `side`: (height, width) of its input. The
    layer in question is number 1."""
    options = f'kernel {kernel} stride {stride} pad {pad}'
    back = 'tconv' if kind == 'conv' else 'conv'
    return ';'.join([f'input 1 {side[0]} {side[1]}', f'conv {channels} kernel 1 relu', 'code',
                     f'{kind} {out_channels} {options} relu', f'{back} 1 {options} sigmoid', ''])


def itself(layer):
    """A layer alone."""
    return alone(layer['type'], layer['in'][0], layer['out'][0], layer['in'][1:], layer['kernel'],
                 layer['stride'], layer['pad'])


def ordinary(layer, name):
    """An ordinary convolution to hold against a pass of a transposed one: with as many multiply-adds
    and terms per output, as nearly as whole numbers allow."""
    into, out, kernel = layer['in'], layer['out'], layer['kernel']
    if name != 'forward':
        # The gradient of the input sums kernel^2 x out channels, that of the weights all pixels of
        # the input: both hold for a convolution of stride 1 that keeps the size.
        pad = (kernel - 1) // 2
        return alone('conv', into[0], out[0], into[1:], kernel, 1, pad)
    wanted = terms(layer, name)
    for size in (3, 2, 1):
        channels = max(1, round(wanted / size ** 2))
        if abs(channels * size ** 2 / wanted - 1) < 0.1:
            break
    pad = (size - 1) // 2
    grown = size - 1 - 2 * pad
    return alone('conv', channels, out[0], (out[1] + grown, out[2] + grown), size, 1, pad)
