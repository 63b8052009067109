#pragma once
#include <stddef.h>
#include <stdint.h>

// The first occurrence of `needle` in `text`, or NULL.
//
// Two bytes of the needle, those that are seldom in telemetry's texts, are compared at sixteen positions of the text at a time, and
// the whole needle only where both are ("packed pair", as in the Rust crate memchr). A text in which that happens too often is given
// to memmem(3), whose time does not depend on the needle.
const uint8_t *varve_find(const uint8_t *text, size_t text_size, const uint8_t *needle, size_t needle_size);
