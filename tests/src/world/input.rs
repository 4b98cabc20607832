//! The body of a request, read.
//!
//! Knows: JSON and form bodies. Must not know: which members an operation needs.

use crate::world::answer::ServiceError;
use crate::world::call::Service;
use ecs_sidecar_core::json::{Document, JsonType, Value};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// What a request says.
pub(crate) enum Input {
    /// Of a service that speaks JSON.
    Json(Document),
    /// Of a service that speaks the query protocol: names and values.
    Form(Vec<(String, String)>),
}

impl Input {
    /// Reads a body.
    pub(crate) fn read(service: Service, body: &[u8]) -> Result<Self, ServiceError> {
        let text = std::str::from_utf8(body).map_err(|_| ServiceError::serialization("the body is not UTF-8"))?;
        if service.speaks_query() {
            return Ok(Self::Form(text.split('&').filter(|pair| !pair.is_empty()).map(form_pair).collect()));
        }
        Self::of_json(text)
    }

    /// Reads an object in JSON.
    pub(crate) fn of_json(text: impl Into<Arc<str>>) -> Result<Self, ServiceError> {
        let document = Document::parse(text).map_err(|error| ServiceError::serialization(error.to_string()))?;
        if document.root().json_type() == JsonType::Object {
            return Ok(Self::Json(document));
        }
        let found = document.root().json_type().label();
        Err(ServiceError::serialization(format!("the body is {found}, not an object")))
    }

    /// The text of a member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self {
            Self::Json(document) => Some(document.root().get(name)?.as_str()?.into_owned()),
            Self::Form(pairs) => pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
        }
    }

    /// The text of a member that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, ServiceError> {
        let text = self.text(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| match self {
            Self::Json(_) => {
                ServiceError::new("InvalidParameterException", format!("{name} should not be null or empty."))
            }
            Self::Form(_) => {
                ServiceError::new("ValidationError", format!("1 validation error detected: {name} is missing"))
            }
        })
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self {
            Self::Json(document) => document.root().get(name)?.as_i64(),
            Self::Form(_) => self.text(name)?.parse().ok(),
        }
    }

    /// The strings in a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.json().and_then(|root| root.get(name)).map(strings_of).unwrap_or_default()
    }

    /// The outermost value of a JSON body.
    pub(crate) fn json(&self) -> Option<Value<'_>> {
        match self {
            Self::Json(document) => Some(document.root()),
            Self::Form(_) => None,
        }
    }

    /// What the request is about, for the log; whatever member says so.
    pub(crate) fn target(&self) -> String {
        let names = [
            "serviceName",
            "service",
            "family",
            "taskDefinition",
            "familyPrefix",
            "RoleName",
            "PolicySourceArn",
            "repositoryName",
            "QueueUrl",
            "logGroupName",
            "logGroupNamePrefix",
            "TableName",
            "FunctionName",
            "resourceArn",
            "clusterName",
        ];
        // Some name several at once, in one cluster.
        let lists = ["services", "clusters", "serviceDeploymentArns", "serviceRevisionArns"];
        let named = names.iter().find_map(|name| self.text(name)).map(|name| vec![name]);
        let named = named.or_else(|| lists.iter().map(|name| self.texts(name)).find(|names| !names.is_empty()));
        let named = named.or_else(|| self.text("cluster").map(|name| vec![name])).unwrap_or_default();
        let short = |name: &String| name.rsplit('/').next().unwrap_or_default().to_owned();
        named.iter().map(short).collect::<Vec<_>>().join(",")
    }
}

fn strings_of(list: Value<'_>) -> Vec<String> {
    list.items().filter_map(|item| Some(item.as_str()?.into_owned())).collect()
}

fn form_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    (decode(name), decode(value))
}
