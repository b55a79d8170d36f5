# SPDX-License-Identifier: GPL-2.0-only
# Completion of bfm for bash: bfm itself knows what there is. Files are bash's.

_bfm()
{
	local word=${COMP_WORDS[COMP_CWORD]}

	[ "$word" = = ] && word=
	mapfile -t COMPREPLY < <(compgen -W "$(bfm complete "${COMP_WORDS[@]:1:COMP_CWORD}" \
		2>/dev/null)" -- "$word")
	# a list goes on
	[[ $word == *,* || ${COMP_WORDS[COMP_CWORD - 1]} == = ]] && compopt -o nospace
	return 0
}

complete -o default -F _bfm bfm
