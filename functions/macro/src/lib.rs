//! The Lambda function `macro`: what CloudFormation sends, and what it is answered.

pub mod handler;

pub use handler::Handler;
