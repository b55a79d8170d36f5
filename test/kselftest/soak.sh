# SPDX-License-Identifier: GPL-2.0-only
# Good, crashing, looping and malformed extensions in random order, killed bfm and lack of memory,
# under load and while CPUs go and come: test/kselftest/src/soak.c. Linux and its processes never
# notice. SOAK_CYCLES and FUZZ_SEED on the kernel's command line choose how many and which. What
# was measured goes to the host through the kernel log, in lines of JSON: test/soak.py.
. ./tap.sh
. ./bad.sh

total=${SOAK_CYCLES:-20}
seed=${FUZZ_SEED:-1}
phases=$(((total + 49) / 50)) # a load of its own, and a look at the memory, for each
modprobe cpuid

# What comes of misbehave: calls, and each instruction in an exit and in one more place.
misdeeds()
{
	echo $calls | tr ' ' '\n'
	set -- start bootstrap last first
	"$bin/insn-cases" | while read -r name vector; do
		for place in "$1" later; do
			echo "$place:$name:EXT_FAULT${vector:+:$vector}"
		done
		set -- "$2" "$3" "$4" "$1"
	done
	echo stop:exit:EXT_EXIT
	echo stop:ud2:EXT_FAULT:6
	echo stop:run_current:EXT_STOP_REFUSED
	echo kernel:promote:EXT_PROMOTED
}

# tell JSON
tell()
{
	echo "<0>soak: $1" >/dev/kmsg
}

cycle_range()
{
	"$bin/soak" "$seed" "$1" "$2" /tmp/misdeeds >/tmp/soak.part
	result=$?
	cat /tmp/soak.part >>/tmp/soak.log
	[ $result != 0 ] || return 0
	grep -v ^cycle /tmp/soak.part
	bfm status
	bfm dump | tail -n 30
	return $result
}

# sample CYCLES: the memory after so many
sample()
{
	set -- "$1" $(memory)
	tell "{\"after\": $1, \"free_kib\": $2, \"slab_kib\": $3, \"vmalloc_kib\": $4}"
	echo "$2 $3 $4" >>/tmp/samples
}

# By error: how often, and the worst times; then the kinds, the worst of all, and what it was.
report()
{
	awk -v seed="$seed" '
	$1 == "surprise" { surprises++ }
	$1 == "cycle" {
		cycles++
		split($3, kind, /[+]/)
		sub(/:.*/, "", kind[1])
		kinds[kind[1]]++
		disturbed += $3 ~ /[+]hotplug/
		count[$4]++
		for (i = 5; i <= 9; i++)
			if ($i > worst[$4, i]) {
				worst[$4, i] = $i
				what[$4, i] = $3
			}
	}
	function ms(error, i) {
		return sprintf("%.1f", worst[error, i] / 1000000)
	}
	END {
		for (error in count)
			printf "{\"error\": \"%s\", \"cycles\": %d, \"start_ms\": %s, " \
			       "\"start_paused_ms\": %s, \"stop_ms\": %s, " \
			       "\"stop_paused_ms\": %s, \"bare_ms\": %s, \"slowest\": \"%s\"}\n",
			       error, count[error], ms(error, 5), ms(error, 6), ms(error, 7),
			       ms(error, 8), ms(error, 9), what[error, 9]
		for (kind in kinds)
			printf "{\"kind\": \"%s\", \"cycles\": %d}\n", kind, kinds[kind]
		printf "{\"cycles\": %d, \"seed\": %d, \"with_hotplug\": %d, \"surprises\": %d}\n",
		       cycles, seed, disturbed, surprises
	}' /tmp/soak.log >/tmp/report
	while read -r line; do
		tell "$line"
	done </tmp/report
	cat /tmp/report
}

all_were_run()
{
	[ "$(grep -c ^cycle /tmp/soak.log)" = "$total" ] && ! grep ^surprise /tmp/soak.log
}

# grown COLUMN: by how much since the second sample, when Linux has got what it wants for hotplug
grown()
{
	awk -v column="$1" 'NR <= 2 { first = $column } { last = $column }
			    END { print last - first }' /tmp/samples
}

plan $((2 * phases + 8))
misdeeds >/tmp/misdeeds
snapshot /tmp/state.before
sleepers_begin
t "warm up" cycles 5
sample 0
begin=1
while [ $begin -le "$total" ]; do
	end=$((begin + 49))
	[ $end -le "$total" ] || end=$total
	if is_slow; then
		load_begins --cpu 1
	else
		load_begins
	fi
	t "cycles $begin to $end of seed $seed" cycle_range $begin $end
	load_ends
	t "the load never computed wrongly" load_verdict
	sample $end
	begin=$((end + 1))
done
t "every cycle ended as it should" all_were_run
t "free memory is as it was" less_than $((0 - $(grown 1))) $((8192 + 2 * total))
t "slab memory is as it was" less_than "$(grown 2)" $((1024 + total))
t "vmalloc memory is as it was" less_than "$(grown 3)" $((512 + total / 2))
t "no process was lost" sleepers_live
kill $sleepers
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
report
