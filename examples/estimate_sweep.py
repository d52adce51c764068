"""What AlexNet would take on nine arrays: cycles, bytes per cycle, and how well the multipliers are used."""

from __future__ import annotations

from wingrid import sweep

SIDES = [8, 16, 32]


def main() -> None:
    swept = sweep("alexnet", rows=SIDES, cols=SIDES)
    print("array     cycles  bytes per cycle  MACs per multiplier and cycle")
    figures = {}
    for variant, estimate in zip(swept.variants, swept.estimates(), strict=True):
        total = estimate.as_dict()["total"]
        array = f"{variant.settings['rows']}x{variant.settings['cols']}"
        figures[array] = total["macs_per_multiplier_cycle"]
        moved = total["dram_bytes"] / total["cycles"]
        print(f"{array:5} {total['cycles']:10,} {moved:16.2f} {figures[array]:6.3f}")
    print(f"best used: {max(figures, key=lambda array: figures[array])}")


if __name__ == "__main__":
    main()
