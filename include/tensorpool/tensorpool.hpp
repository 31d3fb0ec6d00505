// Everything: `#include <tensorpool/tensorpool.hpp>`.
#pragma once

#include "tensorpool/buffer_queue.hpp"  // IWYU pragma: export
#include "tensorpool/client.hpp"        // IWYU pragma: export
#include "tensorpool/consumer.hpp"      // IWYU pragma: export
#include "tensorpool/driver.hpp"        // IWYU pragma: export
#include "tensorpool/frame.hpp"         // IWYU pragma: export
#include "tensorpool/log.hpp"           // IWYU pragma: export
#include "tensorpool/metadata.hpp"      // IWYU pragma: export
#include "tensorpool/producer.hpp"      // IWYU pragma: export
#include "tensorpool/progress.hpp"      // IWYU pragma: export
