"""Where each activation lies in TFLM's arena: its own plan reproduced, a lower bound, and a better plan."""
