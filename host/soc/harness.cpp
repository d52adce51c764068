// The SoC behind a C interface: its clock, the bytes that its UART sends, and its memories.

#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "Vsoc.h"
#include "Vsoc___024root.h"
#include "Vsoc_soc.h"

#define SOC_API extern "C" __attribute__((visibility("default")))

// Verilator's run-time library reports its fatal errors here; the default would end the whole process.
void vl_fatal(const char* file, int line, const char* /*scope*/, const char* message) {
    throw std::runtime_error(std::string{message} + " (" + file + ":" + std::to_string(line) + ")");
}

struct Soc {
    VerilatedContext context;
    std::unique_ptr<Vsoc> top;

    explicit Soc(int seed) {
        context.randReset(2);  // what has no initial value starts at random
        context.randSeed(seed);
        top = std::make_unique<Vsoc>(&context);
        top->serial_source_ready = 1;
        top->eval();
    }

    void clock() {
        top->clk = 1;
        top->eval();
        top->clk = 0;
        top->eval();
    }
};

// `seed` chooses what registers and memories hold at first; null if that fails.
SOC_API Soc* soc_create(int seed) {
    try {
        return new Soc{seed};
    } catch (const std::exception&) {
        return nullptr;
    }
}

SOC_API void soc_destroy(Soc* soc) { delete soc; }

// The bytes of a memory in the order of their addresses; null if there is none of that name.
SOC_API void* soc_memory(Soc* soc, const char* name, uint64_t* bytes) {
    auto& design = *soc->top->rootp->soc;
    const auto given = [&](auto& memory) {
        *bytes = sizeof memory;
        return static_cast<void*>(&memory);
    };
    if (!std::strcmp(name, "rom")) return given(design.rom);
    if (!std::strcmp(name, "main_ram")) return given(design.main_ram);
    return nullptr;
}

// Runs for so many cycles, or until the UART has sent a byte; returns how many cycles have passed, -1 if that failed.
// `said` is the byte, 0 for none.
SOC_API int64_t soc_run(Soc* soc, uint64_t cycles, char* said) {
    try {
        *said = 0;
        for (uint64_t passed = 0; passed < cycles;) {
            // The byte is taken at the edge to come.
            if (soc->top->serial_source_valid) *said = static_cast<char>(soc->top->serial_source_data);
            soc->clock();
            ++passed;
            if (*said) return static_cast<int64_t>(passed);
        }
        return static_cast<int64_t>(cycles);
    } catch (const std::exception&) {
        return -1;
    }
}
