"""An outline on a grey picture, to be told from it by its colour and, in greyscale or print, by its dark rim."""

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

ORANGE = (230, 159, 0)
"""Of the palette of Okabe and Ito, which colour-blind people tell apart."""


def outlined(picture: Image.Image, inside: np.ndarray) -> Image.Image:
    """The picture in colour with a line along the inner edge of a region, between dark rims; nothing inside is covered.

    Args:
        picture: grey, 8 bits.
        inside: bool, (rows, columns) of the picture.

    Example:
        >>> inside = np.zeros((9, 9), bool)
        >>> inside[2:7, 2:7] = True
        >>> np.asarray(outlined(Image.new("L", (9, 9), 200), inside))[2, 4].tolist()
        [230, 159, 0]
    """
    width = max(1, picture.width // 200)
    line = inside & np.logical_not(binary_erosion(inside, iterations=width, border_value=1))
    rim = np.logical_and(binary_dilation(line, iterations=max(1, width // 2)), ~line)
    colours = np.asarray(picture.convert("RGB")).copy()
    colours[rim], colours[line] = (0, 0, 0), ORANGE
    return Image.fromarray(colours)
