"""Models of our own making: each folder holds one model, its trainer and its card."""
