"""Line matching: decides which lines of two versions correspond, in bounded time on any input.

Unique common lines anchor the match (patience), the greedy shortest-edit method fills the gaps
up to an edit limit, and a gap beyond the limit is treated as replaced as a whole. It never reads
files and never formats anything.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

EDIT_LIMIT = 300  # beyond this many edits in one gap a finer match is worth less than its time

Range = tuple[int, int, int, int]
Block = tuple[int, int, int]


def matching_blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """Return `(old_index, new_index, length)` of equal runs, ascending, never overlapping.

    Source of method: patience anchors, then Myers, "An O(ND) difference algorithm" (1986).
    """
    blocks: list[Block] = []
    pending: list[Range] = [(0, len(old), 0, len(new))]
    while pending:
        a_low, a_high, b_low, b_high = pending.pop()
        head = 0
        while (
            a_low + head < a_high
            and b_low + head < b_high
            and old[a_low + head] == new[b_low + head]
        ):
            head += 1
        if head:
            blocks.append((a_low, b_low, head))
        a_low, b_low = a_low + head, b_low + head
        tail = 0
        while (
            a_high - tail > a_low
            and b_high - tail > b_low
            and old[a_high - tail - 1] == new[b_high - tail - 1]
        ):
            tail += 1
        a_high, b_high = a_high - tail, b_high - tail
        if tail:
            blocks.append((a_high, b_high, tail))
        if a_low < a_high and b_low < b_high:
            _fill_gap(old, new, (a_low, a_high, b_low, b_high), blocks, pending)
    return sorted(blocks)


def _fill_gap(
    old: Sequence[str],
    new: Sequence[str],
    gap: Range,
    blocks: list[Block],
    pending: list[Range],
) -> None:
    a_low, a_high, b_low, b_high = gap
    anchors = _anchors(old, new, gap)
    if not anchors:
        blocks.extend(_shortest_edit(old, new, gap))
        return
    for a_index, b_index in anchors:
        blocks.append((a_index, b_index, 1))
        pending.append((a_low, a_index, b_low, b_index))
        a_low, b_low = a_index + 1, b_index + 1
    pending.append((a_low, a_high, b_low, b_high))


def _anchors(old: Sequence[str], new: Sequence[str], gap: Range) -> list[tuple[int, int]]:
    a_low, a_high, b_low, b_high = gap
    a_count, b_count = Counter(old[a_low:a_high]), Counter(new[b_low:b_high])
    place = {new[j]: j for j in range(b_low, b_high) if b_count[new[j]] == 1}
    pairs = [(i, place[old[i]]) for i in range(a_low, a_high) if _unique(old[i], a_count, place)]
    return _longest_increasing(pairs)


def _unique(line: str, count: Counter[str], place: dict[str, int]) -> bool:
    return count[line] == 1 and line in place


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    tops: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, b_index) in enumerate(pairs):
        pile = bisect_left(tops, b_index)
        before.append(ends[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(b_index)
            ends.append(index)
        else:
            tops[pile], ends[pile] = b_index, index
    chain: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _shortest_edit(old: Sequence[str], new: Sequence[str], gap: Range) -> list[Block]:
    a_low, a_high, b_low, b_high = gap
    width, height = a_high - a_low, b_high - b_low
    reach = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(width + height, EDIT_LIMIT) + 1):
        trace.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            x = _step(reach, diagonal, edits)
            y = x - diagonal
            while x < width and y < height and old[a_low + x] == new[b_low + y]:
                x, y = x + 1, y + 1
            reach[diagonal] = x
            if x >= width and y >= height:
                return _walk_back(trace, width, height, a_low, b_low)
    return []


def _step(reach: dict[int, int], diagonal: int, edits: int) -> int:
    down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
    return reach[diagonal + 1] if down else reach[diagonal - 1] + 1


def _walk_back(trace: list[dict[int, int]], x: int, y: int, a_low: int, b_low: int) -> list[Block]:
    blocks: list[Block] = []
    for edits in range(len(trace) - 1, -1, -1):
        reach = trace[edits]
        diagonal = x - y
        down = diagonal == -edits or (
            diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1]
        )
        start = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
        run = x - start
        if run > 0:
            blocks.append((a_low + start, b_low + start - diagonal, run))
        previous = diagonal + 1 if down else diagonal - 1
        x = reach[previous]
        y = x - previous
    return blocks
