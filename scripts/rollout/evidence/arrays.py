"""The one kind of array that evidence is made of: counts, rates and e-values."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
