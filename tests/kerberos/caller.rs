//! The process that calls: its realm and its tickets are those of its environment.

use std::time::Duration;

use pinwright::config::Config;
use pinwright::error_text::error_text;
use pinwright::exit::Exit;
use pinwright::server::{Client, DataForm, NewRequest, Posted, Purpose, ServerError};
use pinwright::telemetry;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

const TEMPLATE: Uuid = uuid!("a039b4d0-5ce8-4eff-8651-181c6576fda3");

#[test]
#[ignore = "played by a process of its own"]
fn plays_the_caller() {
    let Some(config) = std::env::var_os("CALLER_CONFIG") else { return };
    telemetry::start(tracing::level_filters::LevelFilter::TRACE, false, false);
    let config = Config::load(Some(config.as_ref()), &[]).unwrap_or_else(|error| panic!("{}", error_text(&error)));
    let client = Client::new(&config.server_of_agent().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let words = std::env::var("CALLER_CALLS").unwrap();
    for word in words.split(' ') {
        let answers = runtime.block_on(async {
            match word.split_once(':') {
                Some(("at-once", count)) => at_once(&client, count.parse().unwrap()).await,
                _ => vec![call(&client, word).await],
            }
        });
        // A line of its own, wherever the test harness stands.
        answers.iter().for_each(|answer| println!("\ncaller: {answer}"));
    }
    runtime.shutdown_background();
}

async fn call(client: &Client, word: &str) -> Value {
    match word {
        "requests" => told(client.requests("Approved").await.map(drop)),
        "create" => {
            let request = NewRequest {
                purpose: Purpose::Enroll { profile_template: TEMPLATE },
                data: &[],
                data_form: DataForm::Text,
                comment: "why",
                target: None,
            };
            match client.create_request(&request).await {
                Ok(Posted::Done(_)) => told(Ok(())),
                Ok(Posted::NotSent(error)) => with(told(Err(error)), "not sent"),
                Ok(Posted::Lost(error)) => with(told(Err(error)), "lost"),
                Err(error) => with(told(Err(error)), "refused"),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn with(mut answer: Value, outcome: &str) -> Value {
    answer["outcome"] = outcome.into();
    answer
}

fn told(result: Result<(), ServerError>) -> Value {
    match result {
        Ok(()) => json!({ "outcome": "done" }),
        Err(error) => json!({
            "outcome": "failed",
            "text": error_text(&error),
            "remedy": error.problem.remedy(),
            "exit": Exit::from(&error) as u8,
        }),
    }
}

/// So many calls in flight together.
async fn at_once(client: &Client, count: usize) -> Vec<Value> {
    let mut calls: Vec<_> = (0..count).map(|_| Box::pin(call(client, "requests"))).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    tokio::time::sleep(Duration::ZERO).await;
    answers
}
