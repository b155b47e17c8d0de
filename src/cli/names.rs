//! The words that options take, and what they mean.

use clap::ValueEnum;

use super::{Github, Stderr};
use crate::detector::Rule;
use crate::gate::{OnInconclusive, OnLeak};
use crate::watcher::Reading;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RuleName {
    Floor,
    Strict,
}

impl From<RuleName> for Rule {
    fn from(name: RuleName) -> Self {
        match name {
            RuleName::Floor => Self::Floor,
            RuleName::Strict => Self::Strict,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OnLeakName {
    Report,
    Fail,
    Stop,
}

impl From<OnLeakName> for OnLeak {
    fn from(name: OnLeakName) -> Self {
        match name {
            OnLeakName::Report => Self::Report,
            OnLeakName::Fail => Self::Fail,
            OnLeakName::Stop => Self::Stop,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OnInconclusiveName {
    Pass,
    Fail,
}

impl From<OnInconclusiveName> for OnInconclusive {
    fn from(name: OnInconclusiveName) -> Self {
        match name {
            OnInconclusiveName::Pass => Self::Pass,
            OnInconclusiveName::Fail => Self::Fail,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StderrName {
    Auto,
    Pipe,
    Pty,
}

impl From<StderrName> for Stderr {
    fn from(name: StderrName) -> Self {
        match name {
            StderrName::Auto => Self::Auto,
            StderrName::Pipe => Self::Pipe,
            StderrName::Pty => Self::Pty,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReadingName {
    Auto,
    On,
    Off,
}

impl From<ReadingName> for Reading {
    fn from(name: ReadingName) -> Self {
        match name {
            ReadingName::Auto => Self::Auto,
            ReadingName::On => Self::On,
            ReadingName::Off => Self::Off,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum GithubName {
    Auto,
    Always,
    Never,
}

impl From<GithubName> for Github {
    fn from(name: GithubName) -> Self {
        match name {
            GithubName::Auto => Self::Auto,
            GithubName::Always => Self::Always,
            GithubName::Never => Self::Never,
        }
    }
}
