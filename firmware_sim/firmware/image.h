/* The model image: what the converter compiles a model to, and this runtime executes in place from flash.
 *
 * Words are 32 bits, little-endian. The image starts on a multiple of 16 and every record on a multiple
 * of 4. Places in the arena and in the image are offsets in bytes, so that the same image runs from any
 * slot of any board. docs/image.md has the format; converter/image writes it.
 */
#ifndef TINYFLEET_IMAGE_H
#define TINYFLEET_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC 0x314D4654u /* "TFM1" */
#define IMAGE_FORMAT 1u
#define IMAGE_ALIGNMENT 16u

typedef struct {
    uint32_t magic;
    uint32_t format;
    uint32_t bytes;       /* of the whole image */
    uint32_t crc32;       /* of the image with this word as zero (IEEE 802.3) */
    uint32_t ops;         /* number of operator records */
    uint32_t ops_at;      /* the first record; each begins where the one before it ends */
    uint32_t arena_bytes; /* activations, scratch and kept state */
    uint32_t state_bytes; /* kept state: the arena's first bytes, reset to state_fill */
    uint32_t state_at;    /* its first values, in the image; 0: all zero */
    uint32_t input_at;
    uint32_t input_bytes;
    uint32_t output_at;
    uint32_t output_bytes;
    uint32_t reserved[3];
} image_header;

/* Every record begins with this word: kind in the low half, words of the record in the high half. */
typedef uint32_t record_head;
#define RECORD_KIND(head) ((head) & 0xFFFFu)
#define RECORD_WORDS(head) ((head) >> 16)

enum record_kind {
    RECORD_CONV = 1,
    RECORD_DEPTHWISE = 2,
    RECORD_POOL = 3,
    RECORD_SOFTMAX = 4,
    RECORD_SVDF = 5,
    RECORD_LSTM = 6,
    RECORD_WIDEN = 7,
    RECORD_BINARY = 8,
    RECORD_COPY = 9,
    RECORD_RESIZE = 10,
    RECORD_LOOKUP = 11,
    RECORD_REDUCE = 12,
    RECORD_BILINEAR = 13,
    RECORD_KINDS
};

/* How the sums of one output channel go back to int8. */
typedef struct {
    int32_t bias;  /* bias less the input's zero point times the sum of the weights */
    int32_t scale; /* Q31 significand; of FLAG_RIGHT layers doubled, which is an unsigned number */
    int32_t shift; /* power of two, left when positive; of FLAG_RIGHT layers one less than to the right */
} channel;

/* Operator flags. */
#define FLAG_RIGHT 1 /* every shift goes to the right: see channel */
#define FLAG_PATCH 2  /* inputs are gathered into scratch first, 4 * blocks bytes a pixel */

/* CONV_2D and, as a convolution of 1x1 pixels, FULLY_CONNECTED; TRANSPOSE_CONV. */
typedef struct {
    record_head head;
    uint32_t flags;
    int32_t in, out, scratch; /* scratch: 24 bytes a block */
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    int32_t in_zero, out_zero, low, high;
    int32_t blocks;   /* of 4 values, that one patch has, the last filled up with weights of zero */
    int32_t weights;  /* in the image: per pair of channels, per block: a word of each channel */
    int32_t channels; /* in the image: one channel struct per output */
    int32_t apart_h, apart_w; /* from one pixel of the input to the next, the zero point between them */
} conv_record;

/* DEPTHWISE_CONV_2D. */
typedef struct {
    record_head head;
    uint32_t flags;
    int32_t in, out, scratch; /* scratch: kernel_h padded rows of the input */
    int32_t in_h, in_w, depth; /* depth: of the output */
    int32_t out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    int32_t in_zero, out_zero, low, high;
    int32_t row;      /* bytes of one padded row */
    int32_t weights;  /* in the image: per 4 channels, per tap: a word of their weights */
    int32_t channels;
    int32_t repeat;   /* outputs of each input channel */
} depthwise_record;

enum pool_kind { POOL_AVERAGE = 0, POOL_MAX = 1 };

typedef struct {
    record_head head;
    int32_t kind;
    int32_t in, out;
    int32_t in_h, in_w, depth;
    int32_t out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t low, high;
} pool_record;

typedef struct {
    record_head head;
    int32_t in, out, rows, depth;
    int32_t table; /* in the image: exp of each distance from the row's maximum, Q31, 256 words */
} softmax_record;

#define FLAG_STATE_16 1 /* state and time weights are int16 */

typedef struct {
    record_head head;
    uint32_t flags;
    int32_t in, out, state;
    int32_t batch, inputs, filters, memory, rank;
    int32_t in_scale, in_shift;
    int32_t out_scale, out_shift, out_zero;
    int32_t feature;       /* in the image: filters by inputs, int8 */
    int32_t feature_start; /* in the image: an int32 per filter, with which its sum begins */
    int32_t time;          /* in the image: filters by memory */
    int32_t bias;          /* in the image: an int32 per unit */
} svdf_record;

/* A dense layer from int8 to int16. */
typedef struct {
    int32_t weights; /* in the image: outputs by inputs, int8 */
    int32_t start;   /* in the image: an int32 per output */
    int32_t scale, shift;
} lstm_matrix;

enum lstm_gate { GATE_INPUT, GATE_FORGET, GATE_CELL, GATE_OUTPUT, GATES };

typedef struct {
    record_head head;
    int32_t in, out, hidden, cell; /* hidden and cell: kept state of int8 and int16 */
    int32_t batch, steps, inputs, units;
    int32_t batch_stride, step_stride; /* in vectors, from one batch and one time step to the next */
    int32_t sigmoid;                   /* in the image: sigmoid(i / 24), 16 bits, 256 values */
    int32_t clip;                      /* of the cell state; 32768 for none */
    int32_t tanh_scale, tanh_shift;    /* of the cell state before its tanh */
    int32_t forget_scale, forget_shift, input_scale, input_shift;
    int32_t out_scale, out_shift, out_zero;
    lstm_matrix given[GATES], recurrent[GATES];
} lstm_record;

/* DEQUANTIZE: a word of a table for each int8. */
typedef struct {
    record_head head;
    int32_t in, out, values;
    int32_t table; /* in the image: 256 words, from that of -128 on */
} widen_record;

enum binary_kind { BINARY_SUM = 0, BINARY_PRODUCT = 1, BINARY_WIDE_PRODUCT = 2, BINARY_MOST = 3, BINARY_LEAST = 4 };

/* ADD, SUB, MUL, MAXIMUM, MINIMUM. An operand below 0 is in the image, at its complement. */
typedef struct {
    record_head head;
    uint32_t kind;
    int32_t a, b, out;
    int32_t counts[4]; /* of the loops, outermost first */
    int32_t a_steps[4], b_steps[4];
    int32_t a_zero, b_zero, out_zero, low, high;
    int32_t gain;         /* of sums: twice the first operand's factor */
    int32_t scale, shift; /* left when positive, which only wide products have */
    int32_t table;        /* of sums, in the image: twice the second operand's 256 terms, zero points included */
} binary_record;

typedef struct {
    int32_t in, out;   /* in: below 0 for one in the image, its complement */
    int32_t counts[5]; /* of the loops, outermost first */
    int32_t in_steps[5], out_steps[5];
} copy_piece;

/* Whatever only moves values. */
typedef struct {
    record_head head;
    int32_t out, fill_bytes, fill; /* fill_bytes: of the output, to be `fill` before the copies */
    int32_t pieces;
    copy_piece piece[];
} copy_record;

/* RESIZE_NEAREST_NEIGHBOR. */
typedef struct {
    record_head head;
    int32_t in, out;
    int32_t in_h, in_w, out_h, out_w, depth;
    int32_t rows, columns; /* in the image: input row of each output row, and the same of columns, uint16 */
} resize_record;

/* Every operator that makes each value of one value. */
typedef struct {
    record_head head;
    int32_t in, out, count;
    int32_t table; /* in the image: results by the value's bits as a number from 0 to 255 */
} lookup_record;

enum reduce_kind { REDUCE_SUM = 0, REDUCE_MOST = 1, REDUCE_LEAST = 2 };

/* MEAN, SUM, REDUCE_MAX, REDUCE_MIN. */
typedef struct {
    record_head head;
    uint32_t kind;
    int32_t in, out;
    int32_t out_counts[3], out_steps[3]; /* loops over outputs, outermost first; steps in the input */
    int32_t counts[3], steps[3];         /* loops over what goes into one output */
    int32_t start;                       /* of sums: less the zero point of every value */
    int32_t out_zero, scale, shift;
} reduce_record;

/* Where an output row or column lies between two of the input, and its share of each, of 1024. */
typedef struct {
    int16_t low, high, low_share, high_share;
} bilinear_step;

/* RESIZE_BILINEAR. */
typedef struct {
    record_head head;
    int32_t in, out;
    int32_t in_h, in_w;
    int32_t out_h, out_w, depth;
    int32_t rows, columns; /* in the image: a bilinear_step each */
} bilinear_record;

#endif
