#!/bin/bash
# Kafka's own program for containers turns the variables KAFKA_* into settings and formats the data
# folder, as in the published image; then the broker takes this process over.
set -euo pipefail

export CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
# The quick compiler alone: started sooner, which is what a rehearsal wants.
java=(/opt/java/bin/java --sun-misc-unsafe-memory-access=allow -XX:TieredStopAtLevel=1
    -XX:+UseSerialGC -cp '/opt/kafka/libs/*')

"${java[@]}" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config
# shellcheck disable=SC2086  # Several options in one variable, as everywhere in Kafka.
exec "${java[@]}" ${KAFKA_HEAP_OPTS:-} \
    -Dlog4j2.configurationFile=/etc/kafka/docker/kafka.log4j2.properties \
    kafka.Kafka /opt/kafka/config/server.properties
