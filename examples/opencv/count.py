"""Counts the coins in a picture: python count.py PICTURE. Without one it draws its own."""

import sys

import cv2
import numpy as np


def drawn() -> np.ndarray:
    picture = np.full((200, 300, 3), 255, np.uint8)
    for x, y, radius in [(60, 60, 30), (150, 120, 40), (240, 70, 25)]:
        cv2.circle(picture, (x, y), radius, (40, 90, 160), -1)
    cv2.rectangle(picture, (20, 150), (90, 185), (40, 90, 160), -1)  # no coin
    return picture


def coins(picture: np.ndarray) -> list[tuple[int, int, int]]:
    """Gives middle and radius of what is dark and round, from left to right."""
    grey = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 5)
    _, dark = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for outline in outlines:
        (x, y), radius = cv2.minEnclosingCircle(outline)
        if cv2.contourArea(outline) > 0.85 * np.pi * radius**2:
            found.append((round(x), round(y), round(radius)))
    return sorted(found)


def main() -> None:
    picture = cv2.imread(sys.argv[1]) if len(sys.argv) > 1 else drawn()
    if picture is None:
        sys.exit(f"{sys.argv[1]} is no picture")
    found = coins(picture)
    print(len(found), "coins:", *(f"{x},{y} r={r}" for x, y, r in found))


main()
