// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signatures of images under lockdown, in the format of signed modules
 * (Documentation/admin-guide/module-signing.rst): file, PKCS#7 message, struct module_signature, a
 * line of text. They are checked against the keys that the kernel takes modules from.
 */
#include <linux/module_signature.h>
#include <linux/string.h>
#include <linux/verification.h>

#include "bareflank.h"

/* The format never changes; the kernel's names for these have. */
#define TEXT "~Module signature appended~\n"
#define ID_PKCS7 2
#define TEXT_LENGTH (sizeof(TEXT) - 1)

/* Splits a file; false: it does not end with the description of a signature. */
static bool split(const u8 *data, u64 size, u64 *signed_size, u64 *sig_len)
{
	struct module_signature ms;

	if (size < sizeof(ms))
		return false;
	size -= sizeof(ms);
	memcpy(&ms, data + size, sizeof(ms));
	if (ms.id_type != ID_PKCS7 || ms.algo || ms.hash || ms.signer_len || ms.key_id_len ||
	    ms.__pad[0] || ms.__pad[1] || ms.__pad[2])
		return false;
	*sig_len = be32_to_cpu(ms.sig_len);
	if (!*sig_len || *sig_len >= size)
		return false;
	*signed_size = size - *sig_len;
	return true;
}

#ifdef CONFIG_SYSTEM_DATA_VERIFICATION
static int verify(const u8 *data, u64 signed_size, u64 sig_len)
{
	int result = verify_pkcs7_signature(data, signed_size, data + signed_size, sig_len,
					    VERIFY_USE_SECONDARY_KEYRING,
					    VERIFYING_MODULE_SIGNATURE, NULL, NULL);

	/* The keys of the firmware and of the machine's owner (db, MOK). */
	if (result == -ENOKEY && IS_ENABLED(CONFIG_INTEGRITY_PLATFORM_KEYRING))
		result = verify_pkcs7_signature(data, signed_size, data + signed_size, sig_len,
						VERIFY_USE_PLATFORM_KEYRING,
						VERIFYING_MODULE_SIGNATURE, NULL, NULL);
	return result;
}
#else
static int verify(const u8 *data, u64 signed_size, u64 sig_len)
{
	return -ENOKEY;
}
#endif

enum bf_error bf_check_signature(struct bf_source *source)
{
	u64 size = source->size;
	const u8 *data = source->data;
	u64 signed_size, sig_len;

	if (size < TEXT_LENGTH || memcmp(data + size - TEXT_LENGTH, TEXT, TEXT_LENGTH))
		return BF_ERR_IMAGE_UNSIGNED;
	if (!split(data, size - TEXT_LENGTH, &signed_size, &sig_len))
		return BF_ERR_IMAGE_SIGNATURE;
	switch (verify(data, signed_size, sig_len)) {
	case 0:
		/* The rest is not signed: it is no part of the image. */
		source->size = signed_size;
		return BF_ERR_OK;
	case -ENOKEY:
		return BF_ERR_IMAGE_KEY;
	default:
		return BF_ERR_IMAGE_SIGNATURE;
	}
}
