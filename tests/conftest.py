"""Settings of all tests."""

import torch

# The problems of the tests are small: several threads would spend their time waiting for each other.
torch.set_num_threads(1)
