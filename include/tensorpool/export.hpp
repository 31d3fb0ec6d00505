// Visibility of the installed symbols. Everything not marked stays hidden in the shared library.
#pragma once

#define TENSORPOOL_EXPORT __attribute__((visibility("default")))
