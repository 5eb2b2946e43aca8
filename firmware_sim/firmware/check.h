/* Whether an image stays within itself and the arena, whatever its records say.
 *
 * The checksum finds damage; these find a well-made image that lies. An image that passes reads its own
 * bytes and the arena's, and writes the arena's, for every input: docs/image.md has the argument.
 */
#ifndef TINYFLEET_CHECK_H
#define TINYFLEET_CHECK_H

#include "extent.h"

enum { WORD_TABLE_BYTES = 1024 }; /* a word for each int8 */

/* Kept state, input and output. */
int check_header(const image_header *image);

/* One record, whose own words lie within the image. */
int check_record(const image_header *image, const record_head *record);

/* Of check_values.c and check_steps.c. */
int check_softmax(const image_header *image, const void *record);
int check_widen(const image_header *image, const void *record);
int check_lookup(const image_header *image, const void *record);
int check_binary(const image_header *image, const void *record);
int check_copy(const image_header *image, const void *record);
int check_resize(const image_header *image, const void *record);
int check_bilinear(const image_header *image, const void *record);
int check_reduce(const image_header *image, const void *record);

#endif
