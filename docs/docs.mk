# SPDX-License-Identifier: MIT
#
# The documentation: tables of the ABI as Markdown, made from the lists in abi/; manual pages, of
# which section 3 is made from the headers of libext; the site. Included by the Makefile at the
# root; run from there.
#
#   man            $(O)/man/man3, man4, man7
#   docs           the tables, $(O)/docs/abi-*.md, and the site, $(O)/site
#   abi-tables     the tables alone
#   install-site   the site as documentation of a package: share/doc/bareflank/html

DOCS := $(patsubst %,$(O)/docs/abi-%.md,calls status calls-mk2 status-mk2 registers-amd \
	registers-intel msrs features capabilities)
DOCS_CFLAGS := -std=gnu11 -O1 -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -I.

.PHONY: docs abi-tables man site install-man install-docs install-site
docs: abi-tables site

abi-tables: $(DOCS)

$(O)/docs/tables: docs/tables.c $(wildcard abi/*.h abi/hw/*.h)
	@mkdir -p $(@D)
	$(CC) $(DOCS_CFLAGS) -o $@ $<

$(O)/docs/abi-%.md: $(O)/docs/tables
	$< $* >$@

MAN := $(O)/man/man4/bareflank.4 $(O)/man/man7/bareflank-ext.7
# Stands for all of section 3.
MAN3 := $(O)/man/man3/libext.3

man: $(MAN) $(MAN3)

$(O)/man/man4/%: docs/man/%.scd
	@mkdir -p $(@D)
	scdoc <$< >$@

$(O)/man/man7/%: docs/man/%.scd
	@mkdir -p $(@D)
	scdoc <$< >$@

$(MAN3): docs/reference.py $(wildcard ext/libext/*.h abi/*.h docs/abi/*.md)
	rm -rf $(@D)
	docs/reference.py man $(@D)

install-man: man
	for s in 3 4 7; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$s && \
		cp -P $(O)/man/man$$s/* $(DESTDIR)$(PREFIX)/share/man/man$$s || exit 1; done

# Is there, and as old as its beginning, if the site is whole.
SITE_MADE := $(O)/site.made

site: abi-tables man $(BFM_MAN)
	rm -f $(SITE_MADE)
	touch $(SITE_MADE).begun
	docs/site.py $(O)
	mv $(SITE_MADE).begun $(SITE_MADE)

# Sphinx takes half a minute: not again if no file has changed since. Any may be shown.
install-site:
	[ -e $(SITE_MADE) ] && [ -z "$$(find . \( -path ./.git -o -path ./build -o -path ./debian \
		-o -path ./$(O) \) -prune -o -newer $(SITE_MADE) -type f -print -quit)" ] || \
		$(MAKE) --no-print-directory site
	install -d $(DESTDIR)$(PREFIX)/share/doc/bareflank/html
	cp -R $(O)/site/* $(DESTDIR)$(PREFIX)/share/doc/bareflank/html

DOC_PAGES := README.md CONTRIBUTING.md $(wildcard docs/*.md docs/*/*.md)
install-docs: $(DOCS)
	for f in $(DOC_PAGES); do \
		install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/doc/bareflank/$$f || exit 1; done
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/bareflank/docs/abi/tables $(DOCS)
