// SPDX-License-Identifier: MIT
//! hello: greets from every CPU, and answers a CPUID leaf that no CPU has, from any program:
//!
//!     bfm start hello && bfm dump
#![no_std]

use mk1::frame::{self, CpuidRegs, Exit, Hook, Hooks, Reg};
use mk1::{print, tls, Specs, VsId};

const LEAF: u32 = 0x4F00_0000;

mk1::name!("hello");
mk1::start!(start);

struct Hello;

impl Hooks for Hello {
    const ASKED: &'static [Hook] = &[Hook::CpuIn, Hook::Cpuid];

    fn cpu_in(vs: VsId) -> bool {
        print!(
            "hello: PP {}: Linux is about to be a guest at RIP {:#x}\n",
            tls::pp().0,
            frame::reg_read(vs, Reg::rip)
        );
        true
    }

    fn cpuid(_: &mut Exit, leaf: u32, subleaf: u32, regs: &mut CpuidRegs) -> bool {
        if leaf != LEAF {
            return false;
        }
        *regs = CpuidRegs {
            eax: subleaf,
            ebx: 0x6C6C_6548, // "Hello"
            ecx: 0x6F,
            edx: tls::pp().0.into(),
        };
        true
    }
}

fn start(specs: Specs) -> mk1::Result<()> {
    frame::run_linux::<Hello>(specs)
}
