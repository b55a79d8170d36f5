// SPDX-License-Identifier: GPL-2.0-only
/*
 * btf STRUCT MEMBER...: prints where members of a struct of the running kernel are, in bytes, each
 * in a line, by its type information (/sys/kernel/btf/vmlinux).
 */
#include <linux/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many bytes of its own follow a type. */
static size_t size_behind(const struct btf_type *t)
{
	size_t n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
	case BTF_KIND_DATASEC:
		return n * 12; /* struct btf_enum64, struct btf_var_secinfo */
	case BTF_KIND_FUNC_PROTO:
		return n * sizeof(struct btf_param);
	default:
		return 0;
	}
}

/* The offset in bytes; -1: the struct has no such member. */
static long find(const struct btf_type *t, const char *strings, const char *member)
{
	const struct btf_member *m = (const struct btf_member *)(t + 1);

	for (unsigned int i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		uint32_t bits = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset) :
							  m[i].offset;

		if (!strcmp(strings + m[i].name_off, member))
			return bits / 8;
	}
	return -1;
}

/* Whether the struct has all members. */
static int print_offsets(const struct btf_type *t, const char *strings, char **members)
{
	for (; *members; members++) {
		long offset = find(t, strings, *members);

		if (offset < 0) {
			fprintf(stderr, "no member %s\n", *members);
			return 0;
		}
		printf("%ld\n", offset);
	}
	return 1;
}

/* A file of sysfs says nothing of its size before it is read. */
static char *read_all(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	size_t room = 32 << 20;
	char *data = malloc(room);

	if (!file || !data)
		return NULL;
	*size = fread(data, 1, room, file);
	fclose(file);
	return data;
}

int main(int argc, char **argv)
{
	const struct btf_header *h;
	const char *data, *at, *end, *strings;
	size_t size;

	if (argc < 3)
		return 2;
	data = read_all("/sys/kernel/btf/vmlinux", &size);
	h = (const struct btf_header *)data;
	if (!data || size < sizeof(*h) || h->magic != BTF_MAGIC) {
		fprintf(stderr, "no type information in /sys/kernel/btf/vmlinux\n");
		return 1;
	}
	at = data + h->hdr_len + h->type_off;
	end = at + h->type_len;
	strings = data + h->hdr_len + h->str_off;
	while (at < end) {
		const struct btf_type *t = (const struct btf_type *)at;

		if (BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT &&
		    !strcmp(strings + t->name_off, argv[1]))
			return !print_offsets(t, strings, argv + 2);
		at += sizeof(*t) + size_behind(t);
	}
	fprintf(stderr, "no struct %s\n", argv[1]);
	return 1;
}
