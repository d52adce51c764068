// The netlist of the whole chip behind a C interface: its clock, and the letters on its serial line.

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "Vboard.h"

#define SOC_API extern "C" __attribute__((visibility("default")))

// Verilator's run-time library reports its fatal errors here; the default would end the whole process.
void vl_fatal(const char* file, int line, const char* /*scope*/, const char* message) {
    throw std::runtime_error(std::string{message} + " (" + file + ":" + std::to_string(line) + ")");
}

// The far end of the line: a start bit of 0, eight bits, the lowest first, and a stop bit of 1.
class Receiver {
public:
    explicit Receiver(unsigned cycles_of_bit) : cycles_of_bit_{cycles_of_bit} {}

    // Sees the line once in each cycle; true when `letter` is complete.
    bool sees(bool level, char& letter) {
        if (!receiving_) {
            receiving_ = !level;
            passed_ = 0;
            return false;
        }
        ++passed_;
        const unsigned bit = passed_ / cycles_of_bit_;
        if (passed_ % cycles_of_bit_ != cycles_of_bit_ / 2) return false;  // only in the middle of a bit
        if (bit == 0 && level) throw std::runtime_error("a start bit that is too short");
        if (bit >= 1 && bit <= 8) shifted_ = static_cast<unsigned char>(shifted_ >> 1 | level << 7);
        if (bit != 9) return false;
        if (!level) throw std::runtime_error("no stop bit");
        receiving_ = false;
        letter = static_cast<char>(shifted_);
        return true;
    }

private:
    unsigned cycles_of_bit_, passed_ = 0;
    bool receiving_ = false;
    unsigned char shifted_ = 0;
};

struct Board {
    VerilatedContext context;
    Receiver receiver;
    std::unique_ptr<Vboard> top;

    Board(int seed, unsigned cycles_of_bit) : receiver{cycles_of_bit} {
        context.randReset(2);  // what has no initial value starts at random
        context.randSeed(seed);
        top = std::make_unique<Vboard>(&context);
        top->serial_rx = 1;
        top->clk = 0;
        top->eval();
    }
};

// `seed` chooses what has no first value; null if that fails.
SOC_API Board* board_create(int seed, unsigned cycles_of_bit) {
    try {
        return new Board{seed, cycles_of_bit};
    } catch (const std::exception&) {
        return nullptr;
    }
}

SOC_API void board_destroy(Board* board) { delete board; }

// Runs for so many cycles, or until a letter is complete; returns how many cycles have passed, -1 if that failed.
// `said` is the letter, 0 for none.
SOC_API int64_t board_run(Board* board, uint64_t cycles, char* said) {
    try {
        *said = 0;
        for (uint64_t passed = 0; passed < cycles;) {
            board->top->clk = 1;
            board->top->eval();
            board->top->clk = 0;
            board->top->eval();
            ++passed;
            if (board->receiver.sees(board->top->serial_tx, *said)) return static_cast<int64_t>(passed);
        }
        return static_cast<int64_t>(cycles);
    } catch (const std::exception&) {
        return -1;
    }
}
