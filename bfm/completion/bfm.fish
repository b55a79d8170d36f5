# SPDX-License-Identifier: GPL-2.0-only
# Completion of bfm for fish: bfm itself knows what there is.

function __bfm_offers
	set -l words (commandline -opc) (commandline -ct)
	bfm complete $words[2..-1] 2>/dev/null
end

complete -c bfm -a "(__bfm_offers)"
