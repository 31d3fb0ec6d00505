# shellcheck shell=bash disable=SC2034
# Every third-party version that the set-up pins, with what it is checked against. Sourced by tools/setup/.
# Raising one: change it here, run `make distclean build`, and put in the hash that the refusal names.

# Aeron's sources travel in the folder aeron/ of this crate; no Rust is compiled. "package" is the crate's SHA-256 as
# cargo checked it; "tree" is the SHA-256 over the sorted sha256sum lines of that folder, dot files left out.
AERON_VERSION=1.53.3
AERON_CRATE=rusteron-media-driver
AERON_CRATE_VERSION=0.2.14
AERON_CRATE_SHA256=469f385b6590b2155b800ca3c73c7ecaf57d21e8f377adc837703f4fe1af6b2d
AERON_TREE_SHA256=8b89447ca032f8eabd8d185871c891f7aa99e3a5c3a0d58043bce757c2aef1a6
CARGO_MINIMUM=1.85 # edition 2024

# The official SBE tool, asked for by its Maven coordinates.
SBE_GROUP=uk.co.real-logic
SBE_ARTIFACT=sbe-all
SBE_VERSION=1.38.1
SBE_SHA256=26e29e5503faa70cc56158fcdacd6369ecfc3088b9a61c90b882feb54451c9b5
JAVA_MINIMUM=11

# A zip of these sources lies in Aeron's tree.
HDR_VERSION=0.11.10

# cmake and ninja, for Aeron refuses CMake below 3.30: wheels.txt beside this file, with hashes.
