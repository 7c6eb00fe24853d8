//! The target with releases that are images: what holds for processes, held by containers of a model
//! of the engine, and what only containers have.

mod house;
mod suite {
    mod contract;
    mod images;
    mod kills;
}

const KIND: house::Kind = house::Kind::Containers;
