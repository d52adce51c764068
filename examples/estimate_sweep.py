"""What AlexNet would take on nine arrays: cycles, images per second, and how well the multipliers are used."""

from __future__ import annotations

from wingrid import sweep

SIDES = [8, 16, 32]


def main() -> None:
    swept = sweep("alexnet", rows=SIDES, cols=SIDES, clock=200.0)
    print("array     cycles  images/s  MACs per multiplier and cycle")
    figures = {}
    for variant, estimate in zip(swept.variants, swept.estimates(), strict=True):
        total = estimate.as_dict()["total"]
        array = f"{variant.settings['rows']}x{variant.settings['cols']}"
        figures[array] = total["macs_per_multiplier_cycle"]
        print(f"{array:5} {total['cycles']:10,} {total['images_per_second']:9.1f} {figures[array]:6.3f}")
    print(f"best used: {max(figures, key=lambda array: figures[array])}")


if __name__ == "__main__":
    main()
