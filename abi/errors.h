/* SPDX-License-Identifier: MIT */
/*
 * Every way in which start, stop or a running hypervisor can fail: one number, one errno, one
 * sentence, and what to do about it. The driver returns errno and number, bfm prints the sentences.
 * Numbers are part of the ioctl interface: append, never renumber.
 */
#ifndef BF_ABI_ERRORS_H
#define BF_ABI_ERRORS_H

/* X(number, name, errno, sentence, hint) */
#define BF_ERRORS(X) \
	X(0, OK, 0, "no error", "") \
	X(1, NO_VIRT, ENODEV, "this CPU offers neither VT-x nor AMD-V", \
	  "in a virtual machine of KVM: modprobe kvm_amd / kvm_intel nested=1 there, -cpu host") \
	X(2, FW_DISABLED, EACCES, "hardware virtualisation is disabled by the firmware", \
	  "switch it on: systemctl reboot --firmware-setup; then power the machine off once") \
	X(3, VIRT_BUSY, EBUSY, "another hypervisor (KVM) owns VT-x or AMD-V on this machine", \
	  "stop KVM's virtual machines and unload it: modprobe -r kvm_intel kvm_amd kvm") \
	X(4, NO_MEMORY, ENOMEM, "not enough free memory", \
	  "sysctl vm.drop_caches=3 vm.compact_memory=1; or a smaller pool: bfm start --pool SIZE") \
	X(5, STARTED_BEFORE, EBUSY, \
	  "this hypervisor runs already: it was there before this kernel", \
	  "bfm stop ends it if bareflank.ko is loaded and has adopted it; a reset always does") \
	X(6, CPU_FEATURE, EOPNOTSUPP, \
	  "the kernel uses a CPU feature that the hypervisor does not support", \
	  "boot without it; docs/hardware.md lists the features that are refused") \
	X(7, LOCKDOWN, EPERM, "the kernel is locked down and accepts only signed images", \
	  "sign them with a key that the kernel trusts: bfm sign --key KEY --cert CERT IMAGE") \
	X(8, RUNNING, EALREADY, "the hypervisor is already running", "stop it first: bfm stop") \
	X(9, NOT_RUNNING, ESRCH, "the hypervisor is not running", "start it first: bfm start") \
	X(10, CPUS_DIFFER, EOPNOTSUPP, "the CPUs of this machine do not have the same features", \
	  "update the firmware, or take the CPU that differs offline") \
	X(11, TOO_MANY_CPUS, E2BIG, "the machine has more CPUs than the hypervisor supports", \
	  "boot with nr_cpus=1024") \
	X(12, SPA_TOO_HIGH, EOPNOTSUPP, \
	  "the machine has memory above 16 TiB, which Mk#1 cannot address", "boot with mem=16T") \
	X(13, NO_NESTED_PAGING, EOPNOTSUPP, "the CPU has no nested paging", \
	  "the hypervisor still runs, but cannot hide its memory") \
	X(14, VMX_CONTROLS, EOPNOTSUPP, "the CPU lacks a VMX control that the hypervisor needs", \
	  "in a virtual machine, use an outer hypervisor with complete nested virtualisation") \
	X(15, HOTPLUG, EBUSY, "a CPU went offline or came online during the start", \
	  "try again: bfm start") \
	X(16, BAD_REQUEST, EINVAL, "the request to the module is malformed", \
	  "install one release, then: modprobe -r bareflank_kvm bareflank && modprobe bareflank") \
	X(17, VERSION, EPROTO, "bfm and the module speak different versions of the interface", \
	  "install one release, then: modprobe -r bareflank_kvm bareflank && modprobe bareflank") \
	X(18, NOT_PERMITTED, EPERM, "starting and stopping the hypervisor requires CAP_SYS_ADMIN", \
	  "run bfm as root: sudo bfm start") \
	X(19, OUTER_HYPERV, EOPNOTSUPP, \
	  "this machine runs under Hyper-V, whose TLB flushes by hypercall would miss the guest", \
	  "use a virtual machine of KVM or VMware, or real hardware") \
	X(20, OUTER_XEN, EOPNOTSUPP, \
	  "this machine runs under Xen, whose hypercalls and event channels cannot be passed on", \
	  "use a virtual machine of KVM or VMware, or real hardware") \
	X(21, RENDEZVOUS, ETIMEDOUT, "the CPUs did not meet in time", \
	  "try again when the machine is less busy; the detail is the number of missing CPUs") \
	X(22, HOTPLUG_REFUSED, EBUSY, \
	  "with INVLPGB, CPUs cannot go offline or come online while the hypervisor runs", \
	  "stop the hypervisor first: bfm stop") \
	X(23, ADDRESS_TOO_HIGH, EOPNOTSUPP, \
	  "RAM or a device lies at or above 2^48, where nested page tables end", \
	  "boot with mem=255T, or make the firmware place devices lower") \
	X(24, CPU_STUCK, ETIMEDOUT, "a CPU does not answer", \
	  "nothing has changed; try again when it does: an extension may keep it, see bfm dump") \
	X(25, CPU_HALTED, EIO, "a CPU has halted in the hypervisor, and does not come back", \
	  "save your work and reboot; bfm status names the CPU and why") \
	X(26, GUESTS, EBUSY, "there are guests, which would end with the hypervisor", \
	  "end the processes that run them, which the kernel log names; or bfm stop --force") \
	X(27, NO_EXT, ENOENT, "there is no such extension", \
	  "bfm status names those that were started") \
	X(28, NO_CALL, EOPNOTSUPP, "the extension answers no requests", \
	  "one that does calls ext_on_call (ext/libext/channel.h)") \
	X(29, REQUEST_SIZE, E2BIG, "a request has at most 4096 bytes", "send less at a time") \
	X(30, REPLY_SIZE, EMSGSIZE, "the reply is longer than the caller has room for", \
	  "give room for 4096 bytes") \
	X(31, EXT_ENDED, EOWNERDEAD, "the extension has ended", "see bfm status for the reason") \
	/* images */ \
	X(32, ELF_TRUNCATED, ENOEXEC, "the image ends before its headers or segments do", \
	  "the file was cut short: build or copy it again") \
	X(33, ELF_MAGIC, ENOEXEC, "the image is not an ELF file", "give the linker's output file") \
	X(34, ELF_CLASS, ENOEXEC, "the image is not a 64-bit little-endian ELF file", \
	  "compile it for x86-64") \
	X(35, ELF_TYPE, ENOEXEC, "the image is not a static executable (ET_EXEC)", \
	  "link it with -static -no-pie") \
	X(36, ELF_MACHINE, ENOEXEC, "the image is for another machine", "compile it for x86-64") \
	X(37, ELF_PHDRS, ENOEXEC, "the program headers of the image are malformed", \
	  "link it again; readelf -lW shows what is there") \
	X(38, ELF_INTERP, ENOEXEC, "the image is dynamically linked", \
	  "link it with -static -no-pie") \
	X(39, ELF_WX, ENOEXEC, "a segment of the image is writable and executable", \
	  "link it with separate text and data segments") \
	X(40, ELF_RANGE, ENOEXEC, \
	  "a segment of the image lies outside of the allowed address range", \
	  "link extensions at 0x0000328000000000") \
	X(41, ELF_OVERLAP, ENOEXEC, \
	  "two segments of the image overlap or share a page with different rights", \
	  "align segments to pages, in ascending order") \
	X(42, ELF_ENTRY, ENOEXEC, "the entry point of the image is not in an executable segment", \
	  "define _start in its text, or set the entry point with -e") \
	X(43, ELF_TLS, ENOEXEC, \
	  "the TLS segment of the image is malformed or larger than one page", \
	  "use at most 4096 bytes of thread-local data") \
	X(44, ELF_NO_SEGMENTS, ENOEXEC, "the image has no loadable segment", \
	  "link it: an object file cannot be loaded") \
	X(45, ELF_TOO_LARGE, EFBIG, "the image is larger than 8 MiB", \
	  "strip -g FILE, or keep large data out of the file") \
	X(46, ELF_RELOC, ENOEXEC, "the image needs relocation at load time", \
	  "link it with -static -no-pie") \
	X(47, TOO_MANY_EXTS, E2BIG, "there are too many extensions", "start with fewer") \
	X(48, IMAGE_UNSIGNED, EKEYREJECTED, \
	  "the kernel is locked down, and the image has no signature", \
	  "sign it with a key that the kernel trusts: bfm sign --key KEY --cert CERT IMAGE") \
	X(49, IMAGE_SIGNATURE, EKEYREJECTED, \
	  "the signature of the image is damaged or belongs to another file", \
	  "build or copy the image again, and sign it: bfm sign --key KEY --cert CERT IMAGE") \
	X(50, IMAGE_KEY, ENOKEY, "the image is signed with a key that the kernel does not trust", \
	  "mokutil --import CERT.der && reboot, or sign with the key of the modules") \
	/* the microkernel */ \
	X(64, MK_VERSION, EPROTO, \
	  "the microkernel and the module speak different versions of the handoff", \
	  "install one release, then: modprobe -r bareflank_kvm bareflank && modprobe bareflank") \
	X(65, MK_POOL, ENOMEM, "the microkernel's page pool is exhausted", \
	  "start with a larger pool: bfm start --pool SIZE") \
	X(66, MK_VENDOR, ENODEV, "the microkernel does not support this CPU vendor", \
	  "only AMD-V and VT-x are supported") \
	X(67, MK_VMXON, EIO, "VMXON failed", "another hypervisor may own VT-x: see bfm check") \
	X(68, MK_SELFTEST, EIO, "the first exit did not arrive", \
	  "see bfm dump; on AMD, the extension must intercept CPUID") \
	X(69, MK_FAULT, EIO, "the microkernel faulted", \
	  "this is a bug: please report it with the output of bfm dump") \
	X(70, MK_VMCS, EIO, "a VMX instruction failed", "see bfm dump for the VMCS field") \
	X(71, MK_KEEP_CPUS, EOPNOTSUPP, \
	  "the CPUs cannot be kept in the hypervisor while they are offline", \
	  "start without --keep-cpus; bfm dump says what is missing") \
	X(72, MK_ESCAPED, EIO, "a CPU has been reset, and is not in the hypervisor any more", \
	  "bfm stop, then bfm start; see docs/failures.md for what resets a CPU") \
	X(73, MK_APIC, EOPNOTSUPP, "an instruction that writes to the local APIC is not known", \
	  "see bfm dump for it; start without --keep-cpus") \
	X(74, MK_LEVELS, EOPNOTSUPP, \
	  "the kernel has other levels of page tables than the hypervisor, which cannot stop", \
	  "nothing has changed; where the kernel has 5 levels, boot it with no5lvl") \
	X(75, MK_BOOT_CPU, EBUSY, \
	  "the boot processor is offline, and only a reset could take it out of the hypervisor", \
	  "nothing has changed; bring it online first: /sys/devices/system/cpu/cpu0/online") \
	X(76, MK_FIRMWARE, EBUSY, \
	  "a hypervisor that the firmware has started cannot sleep: bare CPUs would wake up", \
	  "stop it first: bfm stop") \
	/* extensions */ \
	X(96, EXT_EXIT, ECANCELED, "the extension called control_exit", \
	  "see bfm status for what it had said, and bfm dump for more") \
	X(97, EXT_FAULT, EFAULT, "the extension faulted", "see bfm status for the place") \
	X(98, EXT_OVERDUE, ETIMEDOUT, "the extension did not end a callback in time", \
	  "see bfm status for the place it was at; for more time, bfm start --watchdog 5s") \
	X(99, EXT_NO_BOOTSTRAP, EINVAL, "no extension has registered a bootstrap callback", \
	  "register it in _start, before control_wait") \
	X(100, EXT_NO_VMEXIT, EINVAL, "no extension has registered a vmexit callback", \
	  "register it in _start, before control_wait") \
	X(101, EXT_WAIT, ECANCELED, "the extension called control_wait outside of _start", \
	  "end a callback with a run call or vs_promote") \
	X(102, EXT_AGAIN, ECANCELED, \
	  "the extension called control_again outside of its fail callback", \
	  "call it in the fail callback only") \
	X(103, EXT_FAIL_FAULT, EFAULT, "the extension faulted in its fail callback", \
	  "see bfm status for the place") \
	X(104, EXT_STOP_REFUSED, EIO, \
	  "the extension did not give the CPU back when asked to stop", \
	  "nothing: the microkernel gave it back instead") \
	X(105, VS_INVALID, EINVAL, "the CPU refused the guest state or the controls of a VS", \
	  "see bfm dump for the check that failed") \
	X(106, PEER_FAILED, ECANCELED, "another CPU failed", "see bfm status, which names it") \
	X(107, EXT_PROMOTED, ECANCELED, "the extension gave a CPU back without being asked", \
	  "see bfm dump for what it printed before") \
	X(108, EXT_STALLED, ETIMEDOUT, \
	  "the extension resumed a guest again and again without progress", \
	  "see bfm dump for the instruction; to let it: bfm start --repeats off")

#define BF_ERROR_ENUM(number, name, err, text, hint) BF_ERR_##name = (number),
enum bf_error { BF_ERRORS(BF_ERROR_ENUM) };

/* What an error is about, by the groups above. */
#define BF_ERROR_IS_MACHINE(error) ((error) < BF_ERR_ELF_TRUNCATED)
#define BF_ERROR_IS_IMAGE(error) ((error) >= BF_ERR_ELF_TRUNCATED && (error) < BF_ERR_MK_VERSION)
#define BF_ERROR_IS_MICROKERNEL(error) ((error) >= BF_ERR_MK_VERSION && (error) < BF_ERR_EXT_EXIT)
#define BF_ERROR_IS_EXTENSION(error) ((error) >= BF_ERR_EXT_EXIT)

#endif
