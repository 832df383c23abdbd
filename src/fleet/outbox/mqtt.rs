//! A broker: one message at a time, delivered when the broker has acknowledged it.
//!
//! MQTT 5, because only there an acknowledgement can say no: a broker of MQTT 3.1.1 acknowledges what it then throws
//! away. Source: MQTT 5.0 §3.4.2.1; MQTT 3.1.1 §3.3.5.

use std::future::pending;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, PubAckReason, PublishProperties};
use rumqttc::v5::mqttbytes::{Error as PacketError, QoS};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions, StateError};
use rumqttc::{Outgoing, Transport};
use tokio::time::timeout;

use super::courier::{Destination, Failure};
use super::settings::MqttSettings;
use super::store::Message;
use super::topic::Topic;
use crate::error::Error;

/// Time for a good-bye.
const FAREWELL: Duration = Duration::from_millis(500);

/// A broker.
pub struct Mqtt {
    options: MqttOptions,
    topic: Topic,
    timeout: Duration,
    /// Never kept after a failure: what is sent next belongs to a connection that knows of nothing else.
    connection: Option<(AsyncClient, EventLoop)>,
}

impl Mqtt {
    /// # Errors
    /// [`Kind::Usage`](crate::Kind::Usage) when the password or a certificate cannot be read.
    pub(super) fn new(settings: &MqttSettings) -> Result<Self, Error> {
        let mut options = MqttOptions::new(&settings.client_id, &settings.host, settings.port);
        options
            .set_clean_start(true)
            .set_keep_alive(settings.keep_alive)
            .set_connection_timeout(settings.timeout.as_secs())
            .set_outgoing_inflight_upper_limit(1);
        if let Some((user, password)) = &settings.user {
            let password = password.as_ref().map(super::secret::Source::read).transpose()?;
            options.set_credentials(user, password.as_ref().map_or("", |secret| secret.reveal()));
        }
        if let Some(tls) = &settings.tls {
            options.set_transport(Transport::tls_with_config(tls.client()?.into()));
        }
        Ok(Mqtt {
            options,
            topic: settings.topic.clone(),
            timeout: settings.timeout,
            connection: None,
        })
    }
}

impl Destination for Mqtt {
    const NAME: &'static str = "mqtt";

    async fn deliver(&mut self, message: &Message) -> Result<(), Failure> {
        let connection = self
            .connection
            .get_or_insert_with(|| AsyncClient::new(self.options.clone(), 1));
        let topic = self.topic.of(&message.attempt());
        // To connect, and to be acknowledged.
        let delivered = match timeout(self.timeout * 2, hand_over(connection, topic, message)).await {
            Ok(Ok(reason)) => judge(reason),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::passing("the broker does not acknowledge the message")),
        };
        if delivered.is_err() {
            self.connection = None;
        }
        delivered
    }

    async fn idle(&mut self) {
        if let Some((_, events)) = &mut self.connection {
            while events.poll().await.is_ok() {}
        }
        // The next message says whether the broker is there again.
        self.connection = None;
        pending().await
    }

    async fn close(self) {
        if let Some((client, mut events)) = self.connection {
            let farewell = async {
                let _ = client.disconnect().await;
                while let Ok(event) = events.poll().await {
                    if event == Event::Outgoing(Outgoing::Disconnect) {
                        break;
                    }
                }
            };
            let _ = timeout(FAREWELL, farewell).await;
        }
    }
}

/// Sends a message, and returns what the broker's acknowledgement of it says.
async fn hand_over(
    (client, events): &mut (AsyncClient, EventLoop),
    topic: String,
    message: &Message,
) -> Result<PubAckReason, Failure> {
    let properties = PublishProperties {
        // UTF-8. Source: MQTT 5.0 §3.3.2.3.2.
        payload_format_indicator: Some(1),
        content_type: Some("application/json".into()),
        user_properties: vec![("id".into(), message.id.clone())],
        ..PublishProperties::default()
    };
    client
        .publish_with_properties(
            topic,
            QoS::AtLeastOnce,
            false,
            message.document.clone(),
            properties,
        )
        .await
        .map_err(|_| Failure::refusal("its topic is none"))?;
    let mut sent = None;
    loop {
        match events.poll().await {
            Ok(event) => {
                if let Some(reason) = acknowledgement(&event, &mut sent) {
                    return Ok(reason);
                }
            }
            // A broker may acknowledge and close the connection in one breath, as mosquitto does when it refuses: the
            // acknowledgement has been read all the same.
            Err(why) => {
                let mut read = events.state.events.drain(..);
                return read
                    .find_map(|event| acknowledgement(&event, &mut sent))
                    .ok_or_else(|| failure(&why));
            }
        }
    }
}

/// What the acknowledgement of the packet that was sent says, if that is what has happened.
fn acknowledgement(event: &Event, sent: &mut Option<u16>) -> Option<PubAckReason> {
    match event {
        Event::Outgoing(Outgoing::Publish(packet)) => {
            *sent = Some(*packet);
            None
        }
        Event::Incoming(Incoming::PubAck(word)) if Some(word.pkid) == *sent => Some(word.reason),
        _ => None,
    }
}

fn judge(reason: PubAckReason) -> Result<(), Failure> {
    let text = format!("the broker answers {reason:?}");
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        PubAckReason::QuotaExceeded | PubAckReason::UnspecifiedError => Err(Failure::passing(text)),
        _ => Err(Failure::refusal(text)),
    }
}

fn failure(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ConnectionRefused(code) => {
            let hint = match code {
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                    ": look at `user` and its password"
                }
                _ => "",
            };
            Failure::passing(format!("the broker refuses the connection, {code:?}{hint}"))
        }
        ConnectionError::MqttState(StateError::Deserialization(PacketError::OutgoingPacketTooLarge {
            pkt_size,
            max,
        })) => Failure::refusal(format!("it has {pkt_size} bytes, the broker takes {max}")),
        ConnectionError::Timeout(_) => Failure::passing("the broker does not answer"),
        ConnectionError::Io(why) => Failure::passing(format!("the broker cannot be reached: {why}")),
        ConnectionError::Tls(why) => Failure::passing(format!("no secure connection to the broker: {why}")),
        other => Failure::passing(format!("the connection to the broker is lost: {other}")),
    }
}
