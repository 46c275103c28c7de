//! `examples/embed.rs`, which asserts that what it reads is what its lake has.

#[path = "../../examples/embed.rs"]
mod embed;

#[test]
fn the_example_of_an_embedding_program_runs() {
    embed::main().unwrap();
}
