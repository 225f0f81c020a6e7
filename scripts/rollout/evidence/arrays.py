"""The one kind of array that evidence is made of."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
