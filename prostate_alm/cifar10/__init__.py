"""The reproduction of the paper's CIFAR10 tables: images, protocol, augmentation, results and tables."""
