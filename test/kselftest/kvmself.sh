# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own selftests of KVM, as Debian has them, on our device: which of them pass, and what
# the others want that is not here (docs/guests.md). test/vm/kvm-selftests builds them.
. ./tap.sh

selftests=/kselftest/kvmself/bin
seconds=30 # of CPU time for each

# NAME ARGUMENTS: memory that fits into the machine
passing()
{
	cat <<-END
	cr4_cpuid_sync_test
	demand_paging_test -b 16M
	demand_paging_test -b 16M -u MISSING
	exit_on_emulation_failure_test
	guest_print_test
	kvm_create_max_vcpus
	max_vcpuid_cap_test
	memslot_modification_stress_test -b 16M -i 10
	set_sregs_test
	state_test
	sync_regs_test
	system_counter_offset_test
	tsc_msrs_test
	userspace_io_test
	xcr0_cpuid_test
	END
	! grep -qw svm /proc/cpuinfo || echo hwcr_msr_test
	# Bochs does not end it in time.
	case $VM_MACHINE in bochs-*) ;; *) echo set_memory_region_test ;; esac
}

# NAME WORDS: what it wants, as it says itself
refused()
{
	cat <<-END
	amx_test XCOMP_GUEST_SUPP
	apic_bus_clock_test KVM_CAP_X86_APIC_BUS_CYCLES_NS
	coalesced_io_test KVM_CAP_COALESCED_MMIO
	cpuid_test X86_PROPERTY_MAX_KVM_LEAF
	debug_regs KVM_CAP_SET_GUEST_DEBUG
	fix_hypercall_test KVM_CAP_DISABLE_QUIRKS2
	get_msr_index_features KVM_CAP_GET_MSR_FEATURES
	guest_memfd_test KVM_CAP_GUEST_MEMFD
	hyperv_cpuid KVM_CAP_HYPERV_CPUID
	hyperv_features KVM_CAP_HYPERV_ENFORCE_CPUID
	kvm_binary_stats_test KVM_CAP_BINARY_STATS_FD
	kvm_clock_test KVM_CLOCK_REALTIME
	kvm_pv_test KVM_CAP_ENFORCE_PV_FEATURE_CPUID
	monitor_mwait_test KVM_CAP_DISABLE_QUIRKS2
	platform_info_test KVM_CAP_MSR_PLATFORM_INFO
	pre_fault_memory_test KVM_CAP_PRE_FAULT_MEMORY
	recalc_apic_map_test max-vcpus
	set_boot_cpu_id KVM_CAP_SET_BOOT_CPU_ID
	smm_test KVM_CAP_X86_SMM
	steal_time is_steal_time_supported
	triple_fault_event_test has_vmx
	tsc_scaling_sync KVM_CAP_VM_TSC_CONTROL
	ucna_injection_test KVM_X86_GET_MCE_CAP_SUPPORTED
	userspace_msr_exit_test KVM_CAP_X86_USER_SPACE_MSR
	vmx_msrs_test KVM_CAP_DISABLE_QUIRKS2
	xapic_state_test KVM_GET_LAPIC
	xss_msr_test X86_FEATURE_XSAVES
	END
}

# run NAME ARGUMENTS
run()
{
	name=$1
	shift
	(ulimit -t $seconds && exec "$selftests/$name" "$@") </dev/null >/tmp/said 2>&1
	status=$?
	tail -n 20 /tmp/said
	return $status
}

# refuses NAME WORDS: it does not pass, and says that of these
refuses()
{
	! run "$1" && grep -q "$2" /tmp/said
}

passing >/tmp/passing
refused >/tmp/refused
plan $((6 + $(cat /tmp/passing /tmp/refused | wc -l)))
# They read its parameters. Without the module of a vendor it has no device.
t "KVM's module" modprobe kvm
t "the module" insmod /lib/modules/bareflank_kvm.ko
t "start" start guests
while read -r name arguments; do
	t "$name" run "$name" $arguments
done </tmp/passing
while read -r name words; do
	t "refused: $name" refuses "$name" "$words"
done </tmp/refused
t "stop" stop
t "the module goes" rmmod bareflank_kvm
t "no complaint of the kernel" dmesg_clean
