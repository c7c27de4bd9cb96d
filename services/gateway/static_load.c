/*
 * Reads the built web client into memory. Follows no links and serves no dot files, so that nothing
 * outside of the directory and nothing of the build can be seen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/crypto.h"
#include "libcommon/log.h"
#include "services/gateway/static_file.h"

/* A built client holds some hundred small files; more than this is the wrong directory. */
#define FILES_MAX 2048
#define FILE_SIZE_MAX (16 * 1024 * 1024)
#define TOTAL_SIZE_MAX (64 * 1024 * 1024)
#define DEPTH_MAX 8

static struct arena *arena;
static struct asset *assets;
static size_t assets_n, total_size;

static const struct {
	const char *ending, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".mjs", "text/javascript; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".webmanifest", "application/manifest+json" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".jpg", "image/jpeg" },
	{ ".webp", "image/webp" },
	{ ".ico", "image/x-icon" },
	{ ".woff2", "font/woff2" },
	{ ".wasm", "application/wasm" },
	{ ".mp4", "video/mp4" },
	{ ".txt", "text/plain; charset=utf-8" },
	{ ".pdf", "application/pdf" },
};

static bool ends_with(const char *text, const char *ending)
{
	size_t n = strlen(text), ending_n = strlen(ending);
	return n > ending_n && !strcmp(text + n - ending_n, ending);
}

static const char *type_of(const char *path)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (ends_with(path, types[i].ending)) {
			return types[i].type;
		}
	}
	return "application/octet-stream";
}

/* The builder puts the content's hash into the names below /assets/; all else may change. */
static const char *cache_of(const char *path)
{
	return !strncmp(path, "/assets/", 8) ? "public, max-age=31536000, immutable" : "no-cache";
}

static const char *etag_of(struct bytes body)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(body.data, body.n, hash);
	return arena_printf(arena, "\"%s\"", crypto_base64url(arena, hash, 15));
}

static enum err read_bytes(int fd, size_t n, unsigned char *out)
{
	for (size_t at = 0; at < n;) {
		ssize_t got = read(fd, out + at, n - at);
		if (got > 0) {
			at += (size_t)got;
		} else if (got == 0 || errno != EINTR) {
			return ERR_INVALID;
		}
	}
	return OK;
}

static enum err read_file(int fd, const char *path, size_t size)
{
	if (size > FILE_SIZE_MAX || total_size + size > TOTAL_SIZE_MAX || assets_n == FILES_MAX) {
		log_error("web-root: %s is too much for one web client", path);
		return ERR_INVALID;
	}
	unsigned char *data = arena_alloc(arena, size + 1);
	if (read_bytes(fd, size, data)) {
		log_error("web-root: cannot read %s", path);
		return ERR_INVALID;
	}
	total_size += size;
	struct bytes body = { .data = data, .n = size };
	assets[assets_n++] = (struct asset){ .path = path,
		.type = type_of(path),
		.cache = cache_of(path),
		.etag = etag_of(body),
		.body = body };
	return OK;
}

static enum err read_directory(int fd, const char *path, int depth);

static enum err read_entry(int parent, const char *parent_path, const char *name, int depth)
{
	const char *path = arena_printf(arena, "%s/%s", parent_path, name);
	struct stat status;
	int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP) {
		return OK; /* a link */
	}
	if (fd < 0 || fstat(fd, &status)) {
		log_error("web-root: cannot open %s: %s", path, strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return ERR_INVALID;
	}
	if (S_ISDIR(status.st_mode)) {
		return read_directory(fd, path, depth + 1); /* closes it */
	}
	enum err e = S_ISREG(status.st_mode) ? read_file(fd, path, (size_t)status.st_size) : OK;
	close(fd);
	return e;
}

static bool is_served(const char *name)
{
	return name[0] != '.' || !strcmp(name, ".well-known");
}

static enum err read_directory(int fd, const char *path, int depth)
{
	DIR *directory = depth <= DEPTH_MAX ? fdopendir(fd) : NULL;
	if (!directory) {
		close(fd);
		log_error("web-root: cannot list %s/", path);
		return ERR_INVALID;
	}
	enum err e = OK;
	const struct dirent *entry = readdir(directory);
	for (; !e && entry; entry = readdir(directory)) {
		if (is_served(entry->d_name)) {
			e = read_entry(fd, path, entry->d_name, depth);
		}
	}
	closedir(directory);
	return e;
}

static int compare(const void *a, const void *b)
{
	const struct asset *one = a, *other = b;
	return strcmp(one->path, other->path);
}

static struct asset *find(const char *path)
{
	struct asset wanted = { .path = path };
	return assets_n ? bsearch(&wanted, assets, assets_n, sizeof *assets, compare) : NULL;
}

static const struct asset *variant(struct asset *asset, const char *ending, const char *encoding)
{
	const char *path = arena_printf(arena, "%s%s", asset->path, ending);
	struct asset *found = find(path);
	if (!found || found->body.n >= asset->body.n) {
		return NULL;
	}
	found->type = asset->type;
	found->cache = asset->cache;
	found->encoding = encoding;
	return found;
}

enum err static_file_start(const char *directory)
{
	arena = arena_new();
	assets = arena_array(arena, FILES_MAX, sizeof *assets);
	if (!*directory) {
		return OK;
	}
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		log_error("web-root %s: %s", directory, strerror(errno));
		return ERR_INVALID;
	}
	enum err e = read_directory(fd, "", 0);
	if (e) {
		return e;
	}
	qsort(assets, assets_n, sizeof *assets, compare);
	for (size_t i = 0; i < assets_n; i++) {
		assets[i].brotli = variant(&assets[i], ".br", "br");
		assets[i].gzip = variant(&assets[i], ".gz", "gzip");
	}
	log_event(LOG_LEVEL_INFO, "web client loaded", LOG_INT("files", assets_n),
		LOG_INT("bytes", total_size));
	return OK;
}

void static_file_stop(void)
{
	arena_free(arena);
	arena = NULL;
	assets = NULL;
	assets_n = total_size = 0;
}

/* Pages of the client have no dot in their last segment; its routes are not known here. */
const struct asset *static_find(const char *path)
{
	const char *last = strrchr(path, '/');
	bool is_page = last && !strchr(last, '.') && strncmp(path, "/assets/", 8) != 0;
	const struct asset *asset = find(path);
	if (!asset && is_page) {
		asset = find("/index.html");
	}
	return asset && !asset->encoding ? asset : NULL;
}
