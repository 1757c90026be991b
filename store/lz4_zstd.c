/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_zstd.c - the contexts of lz4_zstd.h: purpose, theory and locks stand there.
 */
#define ZSTD_STATIC_LINKING_ONLY /* contexts in memory of our own, frames without a magic number */
#include "lz4_zstd.h"

#include <zstd.h>

#include "mem.h"

#define LEVEL 1

static size_t in_lines(size_t bytes)
{
	return (bytes + 63U) / 64U * 64U;
}

static bool coder_init(struct lz4_zstd *zstd, void *memory, size_t bytes)
{
	ZSTD_CCtx *coder = ZSTD_initStaticCCtx(memory, bytes);

	zstd->coder = coder;
	return coder != NULL &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(coder, ZSTD_c_compressionLevel, LEVEL)) &&
	       !ZSTD_isError(
		       ZSTD_CCtx_setParameter(coder, ZSTD_c_format, ZSTD_f_zstd1_magicless)) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(coder, ZSTD_c_contentSizeFlag, 0));
}

static bool decoder_init(struct lz4_zstd_decoder *decoder, void *memory, size_t bytes)
{
	ZSTD_DCtx *context = ZSTD_initStaticDCtx(memory, bytes);

	decoder->context = context;
	return context != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_format,
								       ZSTD_f_zstd1_magicless));
}

int lz4_zstd_open(struct lz4_zstd *zstd, const struct z_store_env *env, unsigned int count)
{
	size_t coder = in_lines(
		ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(LEVEL, Z_PAGE_SIZE, 0)));
	size_t decoder = in_lines(ZSTD_estimateDCtxSize());
	char *at;
	bool ok;

	zstd->pages = z_pages_for(2 * Z_PAGE_SIZE + coder + count * decoder);
	at = z_env_take(env, zstd->pages);
	if (at == NULL) {
		return Z_ERR_NOMEM;
	}
	zstd->memory = at;
	zstd->page = at;
	zstd->coded = at + Z_PAGE_SIZE;
	at += 2 * Z_PAGE_SIZE;
	(void)pthread_mutex_init(&zstd->lock, NULL);
	ok = coder_init(zstd, at, coder);
	at += coder;
	for (; zstd->count < count; zstd->count++) {
		(void)pthread_mutex_init(&zstd->decoders[zstd->count].lock, NULL);
		ok = decoder_init(&zstd->decoders[zstd->count], at, decoder) && ok;
		at += decoder;
	}
	return ok ? 0 : Z_ERR_NOMEM;
}

void lz4_zstd_close(struct lz4_zstd *zstd, const struct z_store_env *env)
{
	if (zstd->memory == NULL) {
		return;
	}
	for (unsigned int i = 0; i < zstd->count; i++) {
		(void)pthread_mutex_destroy(&zstd->decoders[i].lock);
	}
	(void)pthread_mutex_destroy(&zstd->lock);
	z_env_give(env, zstd->memory, zstd->pages);
}

size_t lz4_zstd_code(struct lz4_zstd *zstd, size_t most)
{
	size_t bytes = ZSTD_compress2(zstd->coder, zstd->coded, most, zstd->page, Z_PAGE_SIZE);

	return ZSTD_isError(bytes) ? 0 : bytes;
}

/* One that is free; waits if none is. */
static struct lz4_zstd_decoder *decoder_lock(struct lz4_zstd *zstd)
{
	for (unsigned int i = 0; i < zstd->count; i++) {
		if (pthread_mutex_trylock(&zstd->decoders[i].lock) == 0) {
			return &zstd->decoders[i];
		}
	}
	(void)pthread_mutex_lock(&zstd->decoders[0].lock);
	return &zstd->decoders[0];
}

bool lz4_zstd_decode(struct lz4_zstd *zstd, const char *from, size_t bytes, void *page)
{
	struct lz4_zstd_decoder *decoder = decoder_lock(zstd);
	size_t made = ZSTD_decompressDCtx(decoder->context, page, Z_PAGE_SIZE, from, bytes);

	(void)pthread_mutex_unlock(&decoder->lock);
	return made == Z_PAGE_SIZE;
}
