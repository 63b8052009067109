#define _GNU_SOURCE
#include "CSearch.h"

#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

// Bytes from the most frequent on, about as they are in lines of logs; the others are seldom.
static const char frequent[] = " eta0oinsr1l2dcu3mp45f6789h=\":gb.-/_,yvwTk{}[]x()SEAIROCN'DjPMqLzHGUFBVWKXYJQZ";

// Of 0 the more, the more frequent.
static int frequency(uint8_t byte) {
    const char *place = byte ? strchr(frequent, byte) : NULL;
    return place ? (int)(sizeof frequent - (size_t)(place - frequent)) : 0;
}

// The offsets of the two bytes that are most seldom and differ, the lesser one first; of a needle of one byte repeated, its ends.
static void choose(const uint8_t *needle, size_t size, size_t *first, size_t *second) {
    // Far bytes tell no more than near ones.
    size_t considered = size < 64 ? size : 64;
    size_t best = 0, next = considered - 1;
    for (size_t i = 1; i < considered; i++)
        if (frequency(needle[i]) < frequency(needle[best])) best = i;
    if (next == best) next = 0;
    for (size_t i = 0; i < considered; i++)
        if (i != best && needle[i] != needle[best]
            && (needle[next] == needle[best] || frequency(needle[i]) < frequency(needle[next])))
            next = i;
    *first = best < next ? best : next;
    *second = best < next ? next : best;
}

const uint8_t *varve_find(const uint8_t *text, size_t text_size, const uint8_t *needle, size_t needle_size) {
    if (needle_size == 0) return text;
    if (text_size < needle_size) return NULL;
    if (needle_size == 1) return memchr(text, needle[0], text_size);
    const size_t last = text_size - needle_size;
    size_t position = 0;
#if defined(__x86_64__)
    if (last >= 16) {
        size_t first, second;
        choose(needle, needle_size, &first, &second);
        const __m128i left = _mm_set1_epi8((char)needle[first]), right = _mm_set1_epi8((char)needle[second]);
        // Both loads end inside of the text, since `second` is at most the needle's last offset.
#define PAIRS(at) _mm_and_si128(                                                                                     \
        _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(text + (at) + first)), left),                                \
        _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(text + (at) + second)), right))
        size_t compared = 0;
        while (position + 15 <= last) {
            while (position + 63 <= last) {
                const __m128i a = PAIRS(position), b = PAIRS(position + 16), c = PAIRS(position + 32), d = PAIRS(position + 48);
                if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)))) break;
                position += 64;
            }
            // Where one of the four has it, or the text ends: the next sixteen.
            for (int block = 0; block < 4 && position + 15 <= last; block++, position += 16) {
                unsigned mask = (unsigned)_mm_movemask_epi8(PAIRS(position));
                for (; mask; mask &= mask - 1) {
                    const uint8_t *candidate = text + position + (size_t)__builtin_ctz(mask);
                    if (memcmp(candidate, needle, needle_size) == 0) return candidate;
                    compared += needle_size;
                }
            }
            if (compared > 256 + position) break;
        }
#undef PAIRS
    }
#endif
    return memmem(text + position, text_size - position, needle, needle_size);
}
