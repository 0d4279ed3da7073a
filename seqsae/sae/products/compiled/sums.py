"""Sums over listed places, and what is done to one row after another.

Sums are taken four rows of a table at a time: one row's memory latency hides behind the others'.
"""

import numpy as np

from seqsae.sae.products.compiled.decorator import compiled


@compiled
def _add(out, values, table, latents, first, last):
    """out += sum over places p of [first, last) of values[p] * table[latents[p]]."""
    p = first
    while p + 4 <= last:
        a, b, c, d = table[latents[p]], table[latents[p + 1]], table[latents[p + 2]], table[latents[p + 3]]
        va, vb, vc, vd = values[p], values[p + 1], values[p + 2], values[p + 3]
        for q in range(out.shape[0]):
            out[q] += (va * a[q] + vb * b[q]) + (vc * c[q] + vd * d[q])
        p += 4
    while p < last:
        a, va = table[latents[p]], values[p]
        for q in range(out.shape[0]):
            out[q] += va * a[q]
        p += 1


@compiled
def add_dots(row, table, latents, first, last, out):
    """out[p] = row . table[latents[p]] for places p of [first, last)."""
    p = first
    while p + 4 <= last:
        a, b, c, d = table[latents[p]], table[latents[p + 1]], table[latents[p + 2]], table[latents[p + 3]]
        sa, sb, sc, sd = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for q in range(row.shape[0]):
            sa += row[q] * a[q]
            sb += row[q] * b[q]
            sc += row[q] * c[q]
            sd += row[q] * d[q]
        out[p], out[p + 1], out[p + 2], out[p + 3] = sa, sb, sc, sd
        p += 4
    while p < last:
        a, sa = table[latents[p]], np.float32(0)
        for q in range(row.shape[0]):
            sa += row[q] * a[q]
        out[p] = sa
        p += 1


@compiled
def gather_sum(values, table, latents, starts, out):
    """out [n, d]: row i is the sum of values[p] * table[latents[p]] over the places p of [starts[i], starts[i + 1])."""
    for i in range(out.shape[0]):
        row = out[i]
        for q in range(row.shape[0]):
            row[q] = 0
        _add(row, values, table, latents, starts[i], starts[i + 1])


@compiled
def dots(rows, table, latents, starts, out):
    """out [places]: rows[i] . table[latents[p]]."""
    for i in range(rows.shape[0]):
        add_dots(rows[i], table, latents, starts[i], starts[i + 1], out)


@compiled
def miss(values, table, latents, starts, target, out, along):
    """What the codes leave of a target, and where to look for more of it, while the table's rows are still in cache.

    out [n, d]: target[i] minus the sum of values[p] * table[latents[p]]; along [places]: out[i] . table[latents[p]].
    """
    less = np.empty(values.shape[0], np.float32)
    for p in range(starts[0], starts[-1]):
        less[p] = -values[p]
    for i in range(out.shape[0]):
        row, whole = out[i], target[i]
        for q in range(row.shape[0]):
            row[q] = whole[q]
        _add(row, less, table, latents, starts[i], starts[i + 1])
        add_dots(row, table, latents, starts[i], starts[i + 1], along)


@compiled
def latent_sum(values, latents, out):
    """out [width]: the sum of each latent's values."""
    for j in range(out.shape[0]):
        out[j] = 0
    for p in range(latents.shape[0]):
        out[latents[p]] += values[p]


@compiled
def by_latent(latents, starts, order, rows, begins):
    """Places sorted by latent, in their old order within one: order [places], the row of each, begins [width + 1]."""
    for j in range(begins.shape[0]):
        begins[j] = 0
    for p in range(latents.shape[0]):
        begins[latents[p] + 1] += 1
    for j in range(begins.shape[0] - 1):
        begins[j + 1] += begins[j]
    for i in range(starts.shape[0] - 1):
        for p in range(starts[i], starts[i + 1]):
            q = begins[latents[p]]
            begins[latents[p]] = q + 1
            order[q], rows[q] = p, i
    for j in range(begins.shape[0] - 1, 0, -1):
        begins[j] = begins[j - 1]
    begins[0] = 0


@compiled
def drop_along(gradients, rows):
    """Takes from each gradient its part along the same row."""
    for i in range(rows.shape[0]):
        gradient, row, along = gradients[i], rows[i], np.float32(0)
        for q in range(row.shape[0]):
            along += gradient[q] * row[q]
        for q in range(row.shape[0]):
            gradient[q] -= along * row[q]


@compiled
def unit_rows(rows, least):
    """Brings each row to length 1; a row shorter than `least` is divided by that."""
    for i in range(rows.shape[0]):
        row, square = rows[i], np.float32(0)
        for q in range(row.shape[0]):
            square += row[q] * row[q]
        factor = np.float32(1) / max(np.sqrt(square), least)
        for q in range(row.shape[0]):
            row[q] *= factor


@compiled
def quantise(rows, out, scales, norms):
    """out [n, d] int8: each row in steps of its largest absolute number / 127. scales [n]: the steps; norms [n]: lengths."""
    bits, one = rows.view(np.int32), np.empty(1, np.int32)
    for i in range(rows.shape[0]):
        row, top, square = rows[i], np.int32(0), np.float32(0)
        for q in range(row.shape[0]):
            top = max(top, bits[i, q] & np.int32(0x7FFFFFFF))  # of positive floats the larger has the larger bits
            square += row[q] * row[q]
        one[0] = top
        largest = one.view(np.float32)[0]
        scales[i], norms[i] = largest / np.float32(127), np.sqrt(square)
        inverse = np.float32(127) / largest if largest > 0 else np.float32(0)
        for q in range(row.shape[0]):
            out[i, q] = np.int8(np.rint(row[q] * inverse))
