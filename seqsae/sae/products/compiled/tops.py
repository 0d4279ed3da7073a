"""The largest numbers of each row of a product, in one pass while it is in cache."""

import numpy as np

from seqsae.sae.products.compiled.cuts import cut
from seqsae.sae.products.compiled.decorator import compiled
from seqsae.sae.products.compiled.near import factors, floats, most
from seqsae.sae.products.compiled.sums import add_dots

_SEGMENTS = 4  # numbers of a row whose largest stands for them ...
_SPREAD = 8  # ... and times k: the groups among whose largest numbers the k-th is looked for


@compiled
def _fold(row, out):
    """out [g]: the largest of the numbers j, j + g, j + 2 g, ... of a row, for each j. NaN counts as minus infinity."""
    for j in range(out.shape[0]):
        out[j] = -np.inf
    for start in range(0, row.shape[0], out.shape[0]):
        part = row[start : start + out.shape[0]]  # a slice, counted from 0: loops over it become vector instructions
        for j in range(part.shape[0]):
            out[j] = part[j] if part[j] > out[j] else out[j]


@compiled
def _fold_scaled(row, scale, by, bias, out):
    """As `_fold`, of the numbers row[j] * (scale * by[j]) + bias[j]."""
    for j in range(out.shape[0]):
        out[j] = -np.inf
    for start in range(0, row.shape[0], out.shape[0]):
        stop = start + out.shape[0]
        part, times, plus = row[start:stop], by[start:stop], bias[start:stop]
        for j in range(part.shape[0]):
            number = np.float32(part[j]) * (scale * times[j]) + plus[j]
            out[j] = number if number > out[j] else out[j]


@compiled
def _room(width, k):
    """Room for the maxima of a row's groups, and for those of groups of groups."""
    first = max(width // _SEGMENTS, min(width, _SPREAD * k))
    return np.empty(first, np.float32), np.empty(min(first, _SPREAD * k), np.float32)


@compiled
def _bound(maxima, coarse, k):
    """A number that at least k of the maxima reach, and not many more."""
    _fold(maxima, coarse)
    return cut(coarse, k, k + k // 4)


@compiled
def _groups_reaching(maxima, coarse, bound, groups):
    """Lists the groups whose maximum is not less than the bound; their number."""
    count = 0
    for j in range(coarse.shape[0]):
        if coarse[j] >= bound:
            group = j
            while group < maxima.shape[0]:
                groups[count] = group
                count += maxima[group] >= bound
                group += coarse.shape[0]
    return count


@compiled
def _list_top(row, k, room, latents, values):
    """Lists the k largest of a row, and more: all numbers not less than a bound that the largest of k groups reach.

    If NaN leaves fewer than k, all are listed. Returns how many are.
    """
    maxima, coarse = room
    _fold(row, maxima)
    bound, count = _bound(maxima, coarse, k), 0
    some = _groups_reaching(maxima, coarse, bound, latents)
    groups = latents[:some].copy()
    for g in groups:
        while g < row.shape[0]:
            latents[count], values[count] = g, row[g]
            count += row[g] >= bound
            g += maxima.shape[0]
    if count < k:
        count = row.shape[0]
        for j in range(count):
            latents[j], values[j] = j, row[j]
    return count


@compiled
def _list_top_near(row, rough, fine, k, room, latents, values):
    """As `_list_top`, of the numbers that a row of a product stands for, and as far below the k-th largest as their slack
    reaches."""
    scale, by, bias, (maxima, coarse) = rough[0], fine[0], fine[1], room
    _fold_scaled(row, scale, by, bias, maxima)
    bound = _bound(maxima, coarse, k) - rough[3]
    count = 0
    some = _groups_reaching(maxima, coarse, bound, latents)
    groups = latents[:some].copy()
    for g in groups:
        while g < row.shape[0]:
            latents[count], values[count] = g, np.float32(row[g]) * (scale * by[g]) + bias[g]
            count += values[count] >= bound
            g += maxima.shape[0]
    if count < k:
        for j in range(row.shape[0]):
            latents[j] = j
        return row.shape[0]
    bound, kept = cut(values[:count], k, k), 0
    for c in range(count):
        j = latents[c]
        latents[kept] = j
        kept += values[c] + rough[1] * fine[2, j] + rough[2] * fine[3, j] >= bound
    return kept


@compiled
def _keep_top(values, latents, out_values, out_latents):
    """The k largest of listed values; among equal ones those listed first. k is the room in `out_*`. NaN is smallest."""
    k, found, number = out_values.shape[0], 0, values
    bad = np.int32(0)
    for c in range(values.shape[0]):
        bad |= np.int32(values[c] != values[c])
    if bad:
        number = values.copy()
        for c in range(values.shape[0]):
            number[c] = values[c] if values[c] == values[c] else np.float32(-np.inf)
    bound = cut(number, k, k)
    ties = k - values.shape[0]  # room for numbers equal to the bound, or all if just k reach it
    for c in range(values.shape[0]):
        ties += number[c] <= bound
    for c in range(values.shape[0]):
        tie = number[c] == bound and ties > 0
        if found < k and (number[c] > bound or tie):
            out_values[found], out_latents[found] = values[c], latents[c]
            found += 1
            ties -= tie


@compiled
def top_k(product, out_values, out_latents):
    """The k largest numbers of each row of a float32 product and their latents, both [n, k], in no order."""
    width, k = product.shape[1], out_values.shape[1]
    room = _room(width, k)
    latents, values = np.empty(width + 1, np.int32), np.empty(width + 1, np.float32)
    for i in range(product.shape[0]):
        count = _list_top(product[i], k, room, latents, values)
        _keep_top(values[:count], latents, out_values[i], out_latents[i])


@compiled
def top_k_near(product, rough, fine, rows, table, out_values, out_latents):
    """As `top_k`, of the numbers rows[i] . table[j] + fine[1, j], which the product only stands near."""
    width, k = product.shape[1], out_values.shape[1]
    room = _room(width, k)
    latents, values = np.empty(width + 1, np.int32), np.empty(width + 1, np.float32)
    wide, row = np.empty(width, np.float32), np.empty(4, np.float32)
    greatest = most(fine)
    for i in range(product.shape[0]):
        factors(rough[i], greatest, row)
        count = _list_top_near(floats(product[i], wide), row, fine, k, room, latents, values)
        add_dots(rows[i], table, latents, 0, count, values)
        for c in range(count):
            values[c] += fine[1, latents[c]]
        _keep_top(values[:count], latents, out_values[i], out_latents[i])
