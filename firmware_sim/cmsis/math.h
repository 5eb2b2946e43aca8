/* Included by CMSIS-NN, which uses nothing of it. */
#pragma once
