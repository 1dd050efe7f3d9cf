"""The package list, computed from the folders; everything else is in setup.cfg."""

from setuptools import find_packages, setup

FOLDERS = {
    "snnsim": "snnsim",
    "snnsim.backends": "backends",
    "snnsim.networks": "networks",
    "snnsim.configs": "configs",
}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{inner}" for inner in find_packages(folder)))
    ],
)
