//! The instructions of a function that touch globals.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// What an instruction does with a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it into a register.
    Load {
        /// As linked.
        address: u64,
        /// In bytes.
        size: usize,
        /// Which register, in all its widths.
        register: Register,
    },
    /// Writes it, from a register or a constant ([`Register::None`]).
    Store {
        /// As linked.
        address: u64,
        /// In bytes.
        size: usize,
        /// Which register, in all its widths.
        register: Register,
    },
    /// Takes its address.
    Address {
        /// As linked.
        address: u64,
    },
    /// Compares it with something.
    Compare {
        /// As linked.
        address: u64,
        /// In bytes.
        size: usize,
    },
}

/// The accesses to globals in the code of a function that begins at `address`, in the order of the code: those relative to
/// the instruction pointer, as Go's compiler makes them on amd64.
pub fn accesses(code: &[u8], address: u64) -> Vec<Access> {
    Decoder::with_ip(64, code, address, DecoderOptions::NONE)
        .iter()
        .take_while(|instruction| !instruction.is_invalid())
        .filter(Instruction::is_ip_rel_memory_operand)
        .filter_map(|instruction| access(&instruction))
        .collect()
}

fn access(instruction: &Instruction) -> Option<Access> {
    let address = instruction.ip_rel_memory_address();
    let size = instruction.memory_size().size();
    let operands = (instruction.op0_kind(), instruction.op1_kind());
    match (instruction.mnemonic(), operands) {
        (Mnemonic::Lea, _) => Some(Access::Address { address }),
        (Mnemonic::Mov | Mnemonic::Movzx, (OpKind::Register, OpKind::Memory)) => {
            Some(Access::Load {
                address,
                size,
                register: instruction.op0_register().full_register(),
            })
        }
        (Mnemonic::Mov, (OpKind::Memory, from)) => Some(Access::Store {
            address,
            size,
            register: if from == OpKind::Register {
                instruction.op1_register().full_register()
            } else {
                Register::None
            },
        }),
        (Mnemonic::Cmp, _) => Some(Access::Compare { address, size }),
        _ => None,
    }
}
