//! The target with releases that are bundles: processes of this machine.

mod house;
mod suite {
    mod contract;
    mod kills;
    mod tasks;
    mod users;
}

const KIND: house::Kind = house::Kind::Processes;
