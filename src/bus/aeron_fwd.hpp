// Aeron's structs by name only, so that the headers of this layer need no Aeron include path.
#pragma once

struct aeron_stct;
struct aeron_context_stct;
struct aeron_client_registering_resource_stct;
struct aeron_exclusive_publication_stct;
struct aeron_subscription_stct;
struct aeron_image_stct;
struct aeron_header_stct;
struct aeron_counter_stct;
struct aeron_driver_stct;
struct aeron_driver_context_stct;
