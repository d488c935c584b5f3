"""Groups of pixels: what rows see of an input is a count, and every count has an input."""

from __future__ import annotations

from itertools import product

import numpy as np
from tiny import random_question

from bnnray.encodings.pixel_groups import group_pixels
from bnnray.threat import Domain


def test_every_count_has_an_input_and_rows_see_nothing_else():
    for seed in range(120):
        question = random_question(np.random.default_rng(seed), Domain.GRID)
        rows = question.network.hidden[0].rows().astype(np.int64)
        groups = group_pixels(question.region, rows)
        for counts in product(*(range(cap + 1) for cap in groups.caps.tolist())):
            levels = groups.witness(np.array(counts, dtype=np.int64))
            assert np.all((levels >= question.region.lower) & (levels <= question.region.upper))
            seen = groups.weights @ np.array(counts, dtype=np.int64) + groups.base
            assert np.array_equal(rows @ levels, seen)


def test_the_counts_of_the_clean_image_give_the_clean_image():
    for seed in range(120):
        question = random_question(np.random.default_rng(seed), Domain.GRID)
        region, rows = question.region, question.network.hidden[0].rows().astype(np.int64)
        groups = group_pixels(region, rows)
        counts = (
            [
                sum(
                    region.clean[p] - region.lower[p]
                    if s > 0
                    else region.upper[p] - region.clean[p]
                    for p, s in zip(groups.pixels[start:end], groups.signs[start:end], strict=True)
                )
                for start, end in zip(
                    groups.starts, [*groups.starts[1:], len(groups.pixels)], strict=True
                )
            ]
            if len(groups.starts)
            else []
        )
        assert np.array_equal(groups.witness(np.array(counts, dtype=np.int64)), region.clean)


def test_where_few_pixels_may_change_each_is_a_group_of_its_own():
    found = 0
    for seed in range(60):
        question = random_question(np.random.default_rng(seed), Domain.GRID, local=True)
        groups = group_pixels(question.region, question.network.hidden[0].rows().astype(np.int64))
        if question.region.max_pixels is not None:
            found += 1
            assert len(groups.starts) == len(groups.pixels)
    assert found
