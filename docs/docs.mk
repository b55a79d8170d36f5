# SPDX-License-Identifier: MIT
#
# The tables of the ABI as Markdown files, made from the lists in abi/. Included by the Makefile at
# the root; run from there.

DOCS := $(patsubst %,$(O)/docs/abi-%.md,calls status calls-mk2 status-mk2 registers-amd \
	registers-intel msrs features capabilities)
DOCS_CFLAGS := -std=gnu11 -O1 -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -I.

.PHONY: docs
docs: $(DOCS)

$(O)/docs/tables: docs/tables.c $(wildcard abi/*.h abi/hw/*.h)
	@mkdir -p $(@D)
	$(CC) $(DOCS_CFLAGS) -o $@ $<

$(O)/docs/abi-%.md: $(O)/docs/tables
	$< $* >$@
